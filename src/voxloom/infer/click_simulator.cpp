#include "voxloom/infer/click_simulator.h"

#include <algorithm>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/image/distance.h"

namespace voxloom::infer {
namespace {

struct Peak {
  float distance = 0.0F;
  int64_t x = 0, y = 0;
};

/// The pixel of `errors` that lies deepest inside; the padding makes the image border a border.
Peak deepest(const std::vector<uint8_t>& errors, int64_t width, int64_t height) {
  const int64_t padded_width = width + 2, padded_height = height + 2;
  std::vector<uint8_t> outside(static_cast<size_t>(padded_width * padded_height), 1);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      outside[static_cast<size_t>((y + 1) * padded_width + x + 1)] =
          errors[static_cast<size_t>(y * width + x)] == 0;
    }
  }
  const auto distance =
      image::squared_distance_to(outside, {padded_width, padded_height, 1}, {1.0, 1.0, 1.0});
  Peak best;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const float d = distance[static_cast<size_t>((y + 1) * padded_width + x + 1)];
      if (d > best.distance) best = {d, x, y};
    }
  }
  return best;
}

int64_t slice_pixels(const image::LabelVolume& labels) {
  return labels.geometry().size[0] * labels.geometry().size[1];
}

}  // namespace

std::optional<int64_t> largest_slice(const image::LabelVolume& labels, uint16_t value) {
  const auto voxels = labels.voxels();
  const int64_t pixels = slice_pixels(labels);
  std::optional<int64_t> best;
  int64_t best_count = 0;
  for (int64_t z = 0; z < labels.geometry().size[2]; ++z) {
    const auto slice = voxels.subspan(static_cast<size_t>(z * pixels), static_cast<size_t>(pixels));
    const int64_t count = std::count(slice.begin(), slice.end(), value);
    if (count > best_count) {
      best = z;
      best_count = count;
    }
  }
  return best;
}

BoxPrompt tight_box(const image::LabelVolume& labels, uint16_t value, int64_t z) {
  const auto& size = labels.geometry().size;
  const auto voxels = labels.voxels();
  BoxPrompt box{{size[0], size[1], z}, {-1, -1, z}};
  for (int64_t y = 0; y < size[1]; ++y) {
    for (int64_t x = 0; x < size[0]; ++x) {
      if (voxels[static_cast<size_t>((z * size[1] + y) * size[0] + x)] != value) continue;
      box.lo[0] = std::min(box.lo[0], x);
      box.lo[1] = std::min(box.lo[1], y);
      box.hi[0] = std::max(box.hi[0], x);
      box.hi[1] = std::max(box.hi[1], y);
    }
  }
  VOXLOOM_CHECK(box.hi[0] >= 0,
                ErrorCode::kInvalidArgument,
                "simulated box: slice {} must hold label {}",
                z,
                value);
  return box;
}

std::optional<PointPrompt> next_click(std::span<const uint8_t> truth,
                                      std::span<const uint8_t> prediction,
                                      int64_t width,
                                      int64_t height,
                                      int64_t z) {
  const auto pixels = static_cast<size_t>(width * height);
  VOXLOOM_CHECK(truth.size() == pixels && prediction.size() == pixels,
                ErrorCode::kInvalidArgument,
                "simulated click: slices must hold {} pixels, got {} and {}",
                pixels,
                truth.size(),
                prediction.size());
  std::vector<uint8_t> missed(pixels), added(pixels);
  for (size_t i = 0; i < pixels; ++i) {
    missed[i] = truth[i] != 0 && prediction[i] == 0;
    added[i] = truth[i] == 0 && prediction[i] != 0;
  }
  const Peak inside = deepest(missed, width, height);
  const Peak outside = deepest(added, width, height);
  if (inside.distance == 0.0F && outside.distance == 0.0F) return std::nullopt;
  const bool positive = inside.distance >= outside.distance;
  const Peak& peak = positive ? inside : outside;
  return PointPrompt{{peak.x, peak.y, z}, positive};
}

}  // namespace voxloom::infer
