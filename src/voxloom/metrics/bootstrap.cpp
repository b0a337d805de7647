#include "voxloom/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::metrics {
namespace {

double sorted_quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double t = at - static_cast<double>(below);
  // Equal ends are taken as they are: infinity minus infinity is not a number.
  if (t == 0.0 || sorted[below] == sorted[above]) return sorted[below];
  return sorted[below] + t * (sorted[above] - sorted[below]);
}

void check_not_empty(size_t count) {
  VOXLOOM_CHECK(count > 0, ErrorCode::kInvalidArgument, "statistic: needs a value, got none");
}

}  // namespace

double mean(std::span<const double> values) {
  check_not_empty(values.size());
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double quantile(std::span<const double> values, double q) {
  check_not_empty(values.size());
  VOXLOOM_CHECK(
      q >= 0 && q <= 1, ErrorCode::kInvalidArgument, "quantile: must lie within [0, 1], got {}", q);
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted_quantile(sorted, q);
}

Interval bootstrap(std::span<const double> cases,
                   const std::function<double(std::span<const double>)>& statistic,
                   const BootstrapOptions& options) {
  VOXLOOM_CHECK(!cases.empty(), ErrorCode::kInvalidArgument, "bootstrap: needs a case, got none");
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
  Rng rng(options.seed);
  std::vector<double> drawn(cases.size());
  std::vector<double> statistics(static_cast<size_t>(options.resamples));
  for (double& s : statistics) {
    for (double& v : drawn) v = cases[static_cast<size_t>(rng.below(cases.size()))];
    s = statistic(drawn);
  }
  std::sort(statistics.begin(), statistics.end());
  const double tail = (1.0 - options.confidence) / 2.0;
  return {
      statistic(cases), sorted_quantile(statistics, tail), sorted_quantile(statistics, 1.0 - tail)};
}

Interval bootstrap_mean(std::span<const double> cases, const BootstrapOptions& options) {
  return bootstrap(cases, mean, options);
}

Interval bootstrap_median(std::span<const double> cases, const BootstrapOptions& options) {
  return bootstrap(
      cases, [](std::span<const double> v) { return quantile(v, 0.5); }, options);
}

}  // namespace voxloom::metrics
