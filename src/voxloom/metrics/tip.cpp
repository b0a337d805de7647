#include "voxloom/metrics/tip.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/metrics/bootstrap.h"

namespace voxloom::metrics {

std::optional<double> tip_error(const Tip& truth, const Tip& predicted) {
  if (!truth || !predicted) return std::nullopt;
  return std::hypot((*truth)[0] - (*predicted)[0], (*truth)[1] - (*predicted)[1]);
}

TipSummary summarize_tips(std::span<const Tip> truth,
                          std::span<const Tip> predicted,
                          std::span<const double> radius_px) {
  VOXLOOM_CHECK(truth.size() == predicted.size(),
                ErrorCode::kInvalidArgument,
                "tips: truth and prediction must have one length, got {} and {}",
                truth.size(),
                predicted.size());
  TipSummary out;
  std::vector<double> errors;
  for (size_t i = 0; i < truth.size(); ++i) {
    out.frames += truth[i].has_value();
    out.missing += truth[i] && !predicted[i];
    out.spurious += !truth[i] && predicted[i];
    if (const auto error = tip_error(truth[i], predicted[i])) errors.push_back(*error);
  }
  if (!errors.empty()) {
    out.mean_px = mean(errors);
    out.median_px = quantile(errors, 0.5);
    out.p95_px = quantile(errors, 0.95);
  }
  out.radius_px.assign(radius_px.begin(), radius_px.end());
  if (out.frames == 0) return out;
  for (const double radius : radius_px) {
    const auto hits =
        std::count_if(errors.begin(), errors.end(), [=](double e) { return e <= radius; });
    out.pck.push_back(static_cast<double>(hits) / static_cast<double>(out.frames));
  }
  return out;
}

TipSummary summarize_tips(std::span<const Tip> truth, std::span<const Tip> predicted) {
  constexpr std::array<double, 3> kRadii{3.0, 5.0, 10.0};
  return summarize_tips(truth, predicted, kRadii);
}

std::optional<double> tip_jitter(std::span<const Tip> tips) {
  double sum = 0.0;
  int64_t n = 0;
  for (size_t i = 2; i < tips.size(); ++i) {
    if (!tips[i] || !tips[i - 1] || !tips[i - 2]) continue;
    sum += std::hypot((*tips[i])[0] - 2 * (*tips[i - 1])[0] + (*tips[i - 2])[0],
                      (*tips[i])[1] - 2 * (*tips[i - 1])[1] + (*tips[i - 2])[1]);
    ++n;
  }
  if (n == 0) return std::nullopt;
  return sum / static_cast<double>(n);
}

}  // namespace voxloom::metrics
