#include <algorithm>
#include <vector>

#include "voxloom/filters/clahe.h"

namespace voxloom::filters {

void clahe(const FrameView& view, const ClaheOptions& options, std::span<float> out) {
  check_output_size(view, out, "clahe");
  std::vector<uint8_t> levels(view.size());
  for (size_t i = 0; i < levels.size(); ++i) {
    // NaN becomes black.
    const float v = std::min(std::max(0.0F, view.pixels[i]), 1.0F);
    levels[i] = static_cast<uint8_t>(v * 255.0F + 0.5F);
  }
  clahe(levels, view.width, view.height, options);
  constexpr float kScale = 1.0F / 255.0F;
  for (size_t i = 0; i < levels.size(); ++i) out[i] = static_cast<float>(levels[i]) * kScale;
}

}  // namespace voxloom::filters
