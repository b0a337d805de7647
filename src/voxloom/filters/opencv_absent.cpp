#include "voxloom/core/error.h"
#include "voxloom/filters/opencv_filters.h"

namespace voxloom::filters {
namespace {

[[noreturn]] void absent(const char* filter) {
  throw Error(ErrorCode::kUnsupported,
              format("{}: this build must have OpenCV (VOXLOOM_OPENCV), got none", filter));
}

}  // namespace

bool has_opencv() {
  return false;
}

void non_local_means(const FrameView&,
                     const infer::NonLocalMeansOptions&,
                     const NoiseModel&,
                     std::span<float>) {
  absent("nlm");
}

void bottom_hat(const FrameView&, const infer::BottomHatOptions&, std::span<float>) {
  absent("bottomhat");
}

void line_hat(const FrameView&, const infer::LineHatOptions&, std::span<float>) {
  absent("linehat");
}

}  // namespace voxloom::filters
