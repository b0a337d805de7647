#include "voxloom/kernels/rope.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/kernels/simd/ops.h"

namespace voxloom::kernels {

RopeTable::RopeTable(int64_t channels, int64_t grid_height, int64_t grid_width, double theta)
    : channels_(channels), height_(grid_height), width_(grid_width) {
  VOXLOOM_CHECK(channels > 0 && channels % 4 == 0 && grid_height > 0 && grid_width > 0,
                ErrorCode::kInvalidArgument,
                "rope: channels must be a positive multiple of 4 and the grid not empty, got {} "
                "channels, grid {} x {}",
                channels,
                grid_height,
                grid_width);
  const int64_t half = channels / 2;
  const int64_t positions = std::max(grid_height, grid_width);
  float* cosine = cosine_.ensure(positions * half);
  float* sine = sine_.ensure(positions * half);
  for (int64_t position = 0; position < positions; ++position) {
    for (int64_t pair = 0; pair < half / 2; ++pair) {
      // The reference forms frequency and angle in f32; so do we, to stay within its rounding.
      const auto frequency = static_cast<float>(
          1.0 / std::pow(theta, 4.0 * static_cast<double>(pair) / static_cast<double>(channels)));
      const float angle = static_cast<float>(position) * frequency;
      const int64_t at = position * half + 2 * pair;
      cosine[at] = cosine[at + 1] = std::cos(angle);
      sine[at + 1] = std::sin(angle);
      sine[at] = -sine[at + 1];
    }
  }
}

void RopeTable::apply(
    const float* x, int64_t first_token, int64_t rows, float* y, const float* shift) const {
  VOXLOOM_CHECK(first_token >= 0 && first_token + rows <= tokens(),
                ErrorCode::kInvalidArgument,
                "rope: tokens must lie in the grid of {}, got {} to {}",
                tokens(),
                first_token,
                first_token + rows);
  const auto rotate = simd::f32_ops().rotate;
  const int64_t half = channels_ / 2;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t token = first_token + r;
    const int64_t at_x = token % width_ * half;
    const int64_t at_y = token / width_ * half;
    const float* from = x + r * channels_;
    float* to = y + r * channels_;
    rotate(from, shift, cosine_.data() + at_x, sine_.data() + at_x, half, to);
    rotate(from + half,
           shift == nullptr ? nullptr : shift + half,
           cosine_.data() + at_y,
           sine_.data() + at_y,
           half,
           to + half);
  }
}

}  // namespace voxloom::kernels
