#include <cmath>

#include <opencv2/photo.hpp>

#include "voxloom/filters/anscombe.h"
#include "voxloom/filters/opencv_filters.h"
#include "voxloom/filters/opencv_glue.h"

namespace voxloom::filters {

bool has_opencv() {
  return true;
}

void non_local_means(const FrameView& view,
                     const infer::NonLocalMeansOptions& options,
                     const NoiseModel& noise,
                     std::span<float> out) {
  check_output_size(view, out, "nlm");
  VOXLOOM_CHECK(options.strength > 0.0 && options.patch % 2 == 1 && options.search % 2 == 1 &&
                    options.patch >= 1 && options.search >= options.patch,
                ErrorCode::kInvalidArgument,
                "nlm: the strength must be positive, patch and search window odd, the window not "
                "the smaller one, got {}, {} and {}",
                options.strength,
                options.patch,
                options.search);
  const Anscombe transform(noise);
  if (!transform.usable()) {
    std::copy(view.pixels.begin(), view.pixels.end(), out.begin());
    return;
  }
  std::vector<float> stable(view.size());
  float low = 0.0F, high = 0.0F;
  for (size_t i = 0; i < stable.size(); ++i) {
    stable[i] = static_cast<float>(transform.forward(view.pixels[i]));
    low = i == 0 ? stable[i] : std::min(low, stable[i]);
    high = i == 0 ? stable[i] : std::max(high, stable[i]);
  }
  if (!(high > low)) {
    std::copy(view.pixels.begin(), view.pixels.end(), out.begin());
    return;
  }
  with_opencv("nlm", [&] {
    // OpenCV's squared differences take 8 bits; a level is then well below the noise unless the
    // image has more than 250 standard deviations of range.
    const float scale = 255.0F / (high - low);
    for (float& v : stable) v = (v - low) / (high - low);
    const cv::Mat levels = to_levels<uint8_t>({stable, view.width, view.height}, 255.0F);
    cv::Mat smooth;
    cv::fastNlMeansDenoising(levels,
                             smooth,
                             static_cast<float>(options.strength) * scale,
                             static_cast<int>(options.patch),
                             static_cast<int>(options.search));
    const auto* from = smooth.ptr<uint8_t>();
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(transform.inverse(static_cast<float>(from[i]) / scale + low));
    }
  });
}

}  // namespace voxloom::filters
