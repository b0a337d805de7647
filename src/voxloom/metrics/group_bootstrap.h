#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "voxloom/metrics/bootstrap.h"

namespace voxloom::metrics {

/// Bootstrap where cases come in groups that belong together (frames of one sequence, images of one
/// patient): whole groups are drawn with replacement, as many as there are, because frames of one
/// sequence tell little more than one of them. `groups[i]` is any number that names the group of
/// case i. With one group low = value = high: nothing is known about other groups.
///
/// Two averages over images are in use and differ; say which one a report shows:
/// - per-image mean: every image counts the same (group_bootstrap_mean);
/// - pooled: sums first, then one ratio, so that images weigh by their pixels
///   (group_bootstrap_ratio of, say, 2 TP and 2 TP + FP + FN).

/// What sequences are resampled with, unless told otherwise.
inline constexpr BootstrapOptions kGroupBootstrap{
    .confidence = 0.95, .resamples = 10000, .seed = 0};

/// All functions throw kInvalidArgument for no cases, different lengths, a NaN, or options out of
/// range.

/// Mean over the cases.
[[nodiscard]] Interval group_bootstrap_mean(std::span<const double> cases,
                                            std::span<const int64_t> groups,
                                            const BootstrapOptions& options = kGroupBootstrap);

/// Sum of numerators over sum of denominators; a sample whose denominators are all 0 counts as
/// `when_empty`. Denominators must not be negative.
[[nodiscard]] Interval group_bootstrap_ratio(std::span<const double> numerators,
                                             std::span<const double> denominators,
                                             std::span<const int64_t> groups,
                                             double when_empty,
                                             const BootstrapOptions& options = kGroupBootstrap);

/// Any statistic of the drawn groups' cases together.
[[nodiscard]] Interval group_bootstrap(
    std::span<const double> cases,
    std::span<const int64_t> groups,
    const std::function<double(std::span<const double>)>& statistic,
    const BootstrapOptions& options = kGroupBootstrap);

/// Two methods on the same cases.
struct PairedDifference {
  Interval difference;  ///< Mean of a - b.
  double p = 1.0;       ///< Two-sided, of "no difference"; 1 with fewer than two groups.
  int64_t cases = 0, groups = 0;
};

/// Bootstraps the mean of a[i] - b[i] by group. p is twice the smaller share of resampled means on
/// either side of 0 (those equal to 0 count on both), with one added to count and number so that it
/// is never 0 (Davison and Hinkley 1997, section 4.2), at most 1.
[[nodiscard]] PairedDifference group_bootstrap_difference(
    std::span<const double> a,
    std::span<const double> b,
    std::span<const int64_t> groups,
    const BootstrapOptions& options = kGroupBootstrap);

}  // namespace voxloom::metrics
