#include "voxloom/filters/frame_view.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::filters {

FrameView::FrameView(std::span<const float> image,
                     int64_t w,
                     int64_t h,
                     std::span<const uint8_t> inside_field)
    : pixels(image), width(w), height(h), field(inside_field) {
  VOXLOOM_CHECK(w >= 1 && h >= 1 && w <= 16384 && h <= 16384,
                ErrorCode::kInvalidArgument,
                "filter: both sides must lie within [1, 16384], got {}x{}",
                w,
                h);
  const auto n = static_cast<size_t>(w * h);
  VOXLOOM_CHECK(image.size() == n,
                ErrorCode::kInvalidArgument,
                "filter: an image of {}x{} must have {} pixels, got {}",
                w,
                h,
                n,
                image.size());
  VOXLOOM_CHECK(field.empty() || field.size() == n,
                ErrorCode::kInvalidArgument,
                "filter: the field of view must have {} pixels, got {}",
                n,
                field.size());
}

void check_output_size(const FrameView& view, std::span<const float> out, const char* where) {
  VOXLOOM_CHECK(out.size() == view.size(),
                ErrorCode::kInvalidArgument,
                "{}: the output must have {} pixels, got {}",
                where,
                view.size(),
                out.size());
}

std::vector<float> sample_inside(const FrameView& view,
                                 std::span<const float> values,
                                 int64_t stride) {
  std::vector<float> found;
  found.reserve(static_cast<size_t>((view.width / stride + 1) * (view.height / stride + 1)));
  for (int64_t y = stride / 2; y < view.height; y += stride) {
    for (int64_t x = stride / 2; x < view.width; x += stride) {
      const auto i = static_cast<size_t>(y * view.width + x);
      if (view.inside(i)) found.push_back(values[i]);
    }
  }
  return found;
}

float quantile(std::vector<float>& values, double share) {
  if (values.empty()) return 0.0F;
  const auto k =
      static_cast<std::ptrdiff_t>(std::llround(share * static_cast<double>(values.size() - 1)));
  std::nth_element(values.begin(), values.begin() + k, values.end());
  return values[static_cast<size_t>(k)];
}

}  // namespace voxloom::filters
