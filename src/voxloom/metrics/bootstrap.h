#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace voxloom::metrics {

struct BootstrapOptions {
  double confidence = 0.95;  ///< Within (0, 1).
  int64_t resamples = 2000;
  uint64_t seed = 0;  ///< The same seed gives the same interval on every machine.
};

/// A statistic of the cases and where it would fall for other cases of the same kind.
struct Interval {
  double value = 0.0;  ///< Of the cases themselves.
  double low = 0.0, high = 0.0;
};

/// Percentile bootstrap (Efron and Tibshirani 1993, section 13.3): cases are drawn with
/// replacement, the interval spans the middle `confidence` of the resampled statistics. One case:
/// low = value = high. Throws kInvalidArgument for no cases, a NaN among them or options out of
/// range.
[[nodiscard]] Interval bootstrap(std::span<const double> cases,
                                 const std::function<double(std::span<const double>)>& statistic,
                                 const BootstrapOptions& options = {});
[[nodiscard]] Interval bootstrap_mean(std::span<const double> cases,
                                      const BootstrapOptions& options = {});
[[nodiscard]] Interval bootstrap_median(std::span<const double> cases,
                                        const BootstrapOptions& options = {});

[[nodiscard]] double mean(std::span<const double> values);
/// q within [0, 1], linear interpolation between order statistics as numpy's default.
[[nodiscard]] double quantile(std::span<const double> values, double q);

}  // namespace voxloom::metrics
