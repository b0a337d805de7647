#include "voxloom/metrics/centerline.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::metrics {
namespace {

constexpr double kMaxCoordinate = 1e5;

}  // namespace

ClDice centerline_dice(std::span<const uint8_t> truth,
                       std::span<const uint8_t> truth_skeleton,
                       std::span<const uint8_t> predicted,
                       std::span<const uint8_t> predicted_skeleton) {
  VOXLOOM_CHECK(truth.size() == truth_skeleton.size() && truth.size() == predicted.size() &&
                    truth.size() == predicted_skeleton.size(),
                ErrorCode::kInvalidArgument,
                "cldice: masks and skeletons must have one length, got {}, {}, {} and {}",
                truth.size(),
                truth_skeleton.size(),
                predicted.size(),
                predicted_skeleton.size());
  ClDice out;
  int64_t found = 0, right = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    out.truth_length += truth_skeleton[i] != 0;
    out.predicted_length += predicted_skeleton[i] != 0;
    found += truth_skeleton[i] != 0 && predicted[i] != 0;
    right += predicted_skeleton[i] != 0 && truth[i] != 0;
  }
  if (out.truth_length == 0 && out.predicted_length == 0) {
    out.precision = out.sensitivity = out.value = 1.0;
    return out;
  }
  if (out.truth_length == 0 || out.predicted_length == 0) return out;
  out.precision = static_cast<double>(right) / static_cast<double>(out.predicted_length);
  out.sensitivity = static_cast<double>(found) / static_cast<double>(out.truth_length);
  const double sum = out.precision + out.sensitivity;
  if (sum > 0) out.value = 2.0 * out.precision * out.sensitivity / sum;
  return out;
}

std::vector<uint8_t> draw_curve(std::span<const std::array<double, 2>> points,
                                int64_t width,
                                int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0,
                ErrorCode::kInvalidArgument,
                "curve: image size must be positive, got {}x{}",
                width,
                height);
  for (const auto& point : points) {
    for (const double c : point) {
      VOXLOOM_CHECK(std::abs(c) <= kMaxCoordinate,
                    ErrorCode::kInvalidArgument,
                    "curve: coordinates must lie within +-{} pixels, got {}",
                    kMaxCoordinate,
                    c);
    }
  }
  std::vector<uint8_t> line(static_cast<size_t>(width * height), 0);
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& a = points[i];
    const auto& b = points[std::min(i + 1, points.size() - 1)];
    const double reach = std::max(std::abs(b[0] - a[0]), std::abs(b[1] - a[1]));
    const auto steps = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(reach)));
    for (int64_t k = 0; k <= steps; ++k) {
      const double t = static_cast<double>(k) / static_cast<double>(steps);
      const auto x = static_cast<int64_t>(std::floor(a[0] + t * (b[0] - a[0]) + 0.5));
      const auto y = static_cast<int64_t>(std::floor(a[1] + t * (b[1] - a[1]) + 0.5));
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      line[static_cast<size_t>(y * width + x)] = 1;
    }
  }
  return line;
}

}  // namespace voxloom::metrics
