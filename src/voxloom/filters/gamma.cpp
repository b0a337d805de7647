#include "voxloom/filters/gamma.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::filters {

double adaptive_gamma(const FrameView& view, const infer::GammaOptions& options) {
  VOXLOOM_CHECK(options.low > 0.0 && options.low <= options.high,
                ErrorCode::kInvalidArgument,
                "gamma: the limits must be positive and in order, got {} and {}",
                options.low,
                options.high);
  std::vector<float> values = sample_inside(view, view.pixels, 1);
  const double median = quantile(values, 0.5);
  if (median <= 0.0 || median >= 1.0) return 1.0;
  return std::clamp(std::log(0.5) / std::log(median), options.low, options.high);
}

void apply_gamma(const FrameView& view, double gamma, std::span<float> out) {
  check_output_size(view, out, "gamma");
  const auto g = static_cast<float>(gamma);
  parallel_for(0, static_cast<int64_t>(out.size()), 1 << 14, [&](int64_t first, int64_t last) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      out[i] = std::pow(std::clamp(view.pixels[i], 0.0F, 1.0F), g);
    }
  });
}

}  // namespace voxloom::filters
