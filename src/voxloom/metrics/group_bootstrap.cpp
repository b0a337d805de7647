#include "voxloom/metrics/group_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::metrics {
namespace {

void check(std::span<const double> cases,
           std::span<const int64_t> groups,
           const BootstrapOptions& options) {
  VOXLOOM_CHECK(!cases.empty(), ErrorCode::kInvalidArgument, "bootstrap: needs a case, got none");
  VOXLOOM_CHECK(cases.size() == groups.size(),
                ErrorCode::kInvalidArgument,
                "bootstrap: every case must have its group, got {} cases and {} groups",
                cases.size(),
                groups.size());
  VOXLOOM_CHECK(std::none_of(cases.begin(), cases.end(), [](double v) { return std::isnan(v); }),
                ErrorCode::kInvalidArgument,
                "bootstrap: every case must be a number, got NaN");
  VOXLOOM_CHECK(options.confidence > 0 && options.confidence < 1,
                ErrorCode::kInvalidArgument,
                "bootstrap: confidence must lie within (0, 1), got {}",
                options.confidence);
  VOXLOOM_CHECK(options.resamples > 0,
                ErrorCode::kInvalidArgument,
                "bootstrap: resamples must be positive, got {}",
                options.resamples);
}

// Case indices of each group, groups in ascending order of their number.
std::vector<std::vector<size_t>> members_of(std::span<const int64_t> groups) {
  std::map<int64_t, std::vector<size_t>> by_group;
  for (size_t i = 0; i < groups.size(); ++i) by_group[groups[i]].push_back(i);
  std::vector<std::vector<size_t>> members;
  members.reserve(by_group.size());
  for (auto& [group, list] : by_group) members.push_back(std::move(list));
  return members;
}

Interval interval(double value, std::span<const double> resampled, double confidence) {
  const double tail = (1.0 - confidence) / 2.0;
  return {value, quantile(resampled, tail), quantile(resampled, 1.0 - tail)};
}

/// A group's sums, and resampled ratios of them.
struct Sums {
  double numerator = 0.0, denominator = 0.0;

  [[nodiscard]] double ratio(double when_empty) const {
    return denominator == 0.0 ? when_empty : numerator / denominator;
  }
  Sums& operator+=(const Sums& other) {
    numerator += other.numerator;
    denominator += other.denominator;
    return *this;
  }
};

std::vector<Sums> sums_of(std::span<const double> numerators,
                          std::span<const double> denominators,
                          std::span<const int64_t> groups) {
  std::vector<Sums> sums;
  for (const auto& members : members_of(groups)) {
    Sums sum;
    for (const size_t i : members) {
      sum += {numerators[i], denominators.empty() ? 1.0 : denominators[i]};
    }
    sums.push_back(sum);
  }
  return sums;
}

std::vector<double> resampled_ratios(const std::vector<Sums>& groups,
                                     double when_empty,
                                     const BootstrapOptions& options) {
  Rng rng(options.seed);
  std::vector<double> out(static_cast<size_t>(options.resamples));
  for (double& value : out) {
    Sums drawn;
    for (size_t k = 0; k < groups.size(); ++k) {
      drawn += groups[static_cast<size_t>(rng.below(groups.size()))];
    }
    value = drawn.ratio(when_empty);
  }
  return out;
}

double ratio_of_all(const std::vector<Sums>& groups, double when_empty) {
  Sums all;
  for (const Sums& sum : groups) all += sum;
  return all.ratio(when_empty);
}

Interval ratio_interval(const std::vector<Sums>& groups,
                        double when_empty,
                        const BootstrapOptions& options) {
  const double value = ratio_of_all(groups, when_empty);
  if (groups.size() == 1) return {value, value, value};
  return interval(value, resampled_ratios(groups, when_empty, options), options.confidence);
}

}  // namespace

Interval group_bootstrap_mean(std::span<const double> cases,
                              std::span<const int64_t> groups,
                              const BootstrapOptions& options) {
  check(cases, groups, options);
  return ratio_interval(sums_of(cases, {}, groups), 0.0, options);
}

Interval group_bootstrap_ratio(std::span<const double> numerators,
                               std::span<const double> denominators,
                               std::span<const int64_t> groups,
                               double when_empty,
                               const BootstrapOptions& options) {
  check(numerators, groups, options);
  check(denominators, groups, options);
  VOXLOOM_CHECK(
      std::all_of(denominators.begin(), denominators.end(), [](double v) { return v >= 0; }),
      ErrorCode::kInvalidArgument,
      "bootstrap: denominators must not be negative, got {}",
      *std::min_element(denominators.begin(), denominators.end()));
  return ratio_interval(sums_of(numerators, denominators, groups), when_empty, options);
}

Interval group_bootstrap(std::span<const double> cases,
                         std::span<const int64_t> groups,
                         const std::function<double(std::span<const double>)>& statistic,
                         const BootstrapOptions& options) {
  check(cases, groups, options);
  const auto members = members_of(groups);
  const double value = statistic(cases);
  if (members.size() == 1) return {value, value, value};
  Rng rng(options.seed);
  std::vector<double> drawn, resampled(static_cast<size_t>(options.resamples));
  for (double& s : resampled) {
    drawn.clear();
    for (size_t k = 0; k < members.size(); ++k) {
      for (const size_t i : members[static_cast<size_t>(rng.below(members.size()))]) {
        drawn.push_back(cases[i]);
      }
    }
    s = statistic(drawn);
  }
  return interval(value, resampled, options.confidence);
}

PairedDifference group_bootstrap_difference(std::span<const double> a,
                                            std::span<const double> b,
                                            std::span<const int64_t> groups,
                                            const BootstrapOptions& options) {
  check(a, groups, options);
  check(b, groups, options);
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  check(difference, groups, options);  // Infinity minus infinity.
  const auto sums = sums_of(difference, {}, groups);
  const double value = ratio_of_all(sums, 0.0);
  PairedDifference out{{value, value, value},
                       1.0,
                       static_cast<int64_t>(a.size()),
                       static_cast<int64_t>(sums.size())};
  if (sums.size() < 2) return out;
  const auto resampled = resampled_ratios(sums, 0.0, options);
  out.difference = interval(value, resampled, options.confidence);
  const auto below =
      std::count_if(resampled.begin(), resampled.end(), [](double v) { return v <= 0; });
  const auto above =
      std::count_if(resampled.begin(), resampled.end(), [](double v) { return v >= 0; });
  const double share =
      static_cast<double>(std::min(below, above) + 1) / static_cast<double>(options.resamples + 1);
  out.p = std::min(1.0, 2.0 * share);
  return out;
}

}  // namespace voxloom::metrics
