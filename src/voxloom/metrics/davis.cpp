#include "voxloom/metrics/davis.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/metrics/pixel_distances.h"

namespace voxloom::metrics {
namespace {

constexpr double kRecallAbove = 0.5;

// Beyond the last row or column a pixel is compared with itself.
std::vector<uint8_t> outline(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && mask.size() == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "davis: mask must hold {}x{} pixels, got {}",
                width,
                height,
                mask.size());
  std::vector<uint8_t> out(mask.size());
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* const row = mask.data() + y * width;
    const uint8_t* const below = y + 1 < height ? row + width : row;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t r = std::min(x + 1, width - 1);
      const bool here = row[x] != 0;
      out[static_cast<size_t>(y * width + x)] =
          here != (row[r] != 0) || here != (below[x] != 0) || here != (below[r] != 0);
    }
  }
  return out;
}

}  // namespace

double davis_f(std::span<const uint8_t> truth,
               std::span<const uint8_t> predicted,
               int64_t width,
               int64_t height,
               double tolerance_share) {
  VOXLOOM_CHECK(tolerance_share > 0 && std::isfinite(tolerance_share),
                ErrorCode::kInvalidArgument,
                "davis: tolerance must be positive and finite, got {}",
                tolerance_share);
  const auto distances = compare_pixel_sets(
      outline(truth, width, height), outline(predicted, width, height), width, height);
  const double diagonal = std::hypot(static_cast<double>(width), static_cast<double>(height));
  return distances.within(std::ceil(tolerance_share * diagonal)).f1;
}

std::optional<DavisSummary> davis_summary(std::span<const DavisFrame> frames) {
  const auto first = std::find_if(
      frames.begin(), frames.end(), [](const DavisFrame& frame) { return !frame.truth_empty; });
  const auto shown = frames.subspan(static_cast<size_t>(first - frames.begin()));
  if (shown.size() < 3) return std::nullopt;
  const auto counted = shown.subspan(1, shown.size() - 2);
  DavisSummary out;
  for (const DavisFrame& frame : counted) {
    out.j_mean += frame.j;
    out.f_mean += frame.f;
    out.j_recall += frame.j > kRecallAbove;
    out.f_recall += frame.f > kRecallAbove;
  }
  out.frames = static_cast<int64_t>(counted.size());
  const double share = 1.0 / static_cast<double>(out.frames);
  for (double* const v : {&out.j_mean, &out.f_mean, &out.j_recall, &out.f_recall}) *v *= share;
  return out;
}

}  // namespace voxloom::metrics
