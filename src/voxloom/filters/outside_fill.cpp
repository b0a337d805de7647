#include "voxloom/filters/outside_fill.h"

#include <algorithm>
#include <array>

#include "voxloom/core/error.h"

namespace voxloom::filters {
namespace {

constexpr int32_t kNone = -1;

/// For every pixel the nearest known pixel in each of the four directions.
using Nearest = std::array<std::vector<int32_t>, 4>;

Nearest nearest_known(const std::vector<uint8_t>& known, int64_t width, int64_t height) {
  Nearest nearest;
  for (auto& plane : nearest) plane.assign(known.size(), kNone);
  const auto scan = [&](std::vector<int32_t>& plane, int64_t start, int64_t step, int64_t count) {
    int32_t last = kNone;
    for (int64_t k = 0, i = start; k < count; ++k, i += step) {
      if (known[static_cast<size_t>(i)] != 0) last = static_cast<int32_t>(i);
      plane[static_cast<size_t>(i)] = last;
    }
  };
  for (int64_t y = 0; y < height; ++y) {
    scan(nearest[0], y * width, 1, width);
    scan(nearest[1], y * width + width - 1, -1, width);
  }
  for (int64_t x = 0; x < width; ++x) {
    scan(nearest[2], x, width, height);
    scan(nearest[3], (height - 1) * width + x, -width, height);
  }
  return nearest;
}

}  // namespace

OutsideFill::OutsideFill(std::span<const uint8_t> field, int64_t width, int64_t height)
    : pixels_(field.size()) {
  VOXLOOM_CHECK(field.size() == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "field of view: must have {} pixels, got {}",
                width * height,
                field.size());
  std::vector<uint8_t> known(field.begin(), field.end());
  if (std::none_of(known.begin(), known.end(), [](uint8_t v) { return v != 0; })) {
    // Nothing to continue: frames are left as they are, blank() clears them.
    for (size_t i = 0; i < known.size(); ++i) targets_.push_back({static_cast<int32_t>(i), 0, 0});
    return;
  }
  // The corners of a round field see the field in no direction; they follow in a second round.
  while (true) {
    const Nearest nearest = nearest_known(known, width, height);
    std::vector<int32_t> filled;
    bool left_over = false;
    for (size_t i = 0; i < known.size(); ++i) {
      if (known[i] != 0) continue;
      Target target{static_cast<int32_t>(i), static_cast<int32_t>(sources_.size()), 0};
      float total = 0.0F;
      for (size_t direction = 0; direction < 4; ++direction) {
        const int32_t source = nearest[direction][i];
        if (source == kNone) continue;
        const int64_t apart = std::abs(source - static_cast<int64_t>(i));
        const float weight = 1.0F / static_cast<float>(direction < 2 ? apart : apart / width);
        sources_.push_back({source, weight});
        total += weight;
        ++target.count;
      }
      if (target.count == 0) {
        left_over = true;
        continue;
      }
      for (int32_t k = 0; k < target.count; ++k) {
        sources_[static_cast<size_t>(target.first + k)].weight /= total;
      }
      targets_.push_back(target);
      filled.push_back(target.pixel);
    }
    for (const int32_t pixel : filled) known[static_cast<size_t>(pixel)] = 1;
    if (!left_over) return;
  }
}

void OutsideFill::fill(std::span<float> pixels) const {
  if (targets_.empty()) return;
  VOXLOOM_CHECK(pixels.size() == pixels_,
                ErrorCode::kInvalidArgument,
                "field of view: must fill {} pixels, got {}",
                pixels_,
                pixels.size());
  for (const Target& target : targets_) {
    if (target.count == 0) continue;
    float sum = 0.0F;
    for (int32_t k = target.first; k < target.first + target.count; ++k) {
      const Source& source = sources_[static_cast<size_t>(k)];
      sum += source.weight * pixels[static_cast<size_t>(source.pixel)];
    }
    pixels[static_cast<size_t>(target.pixel)] = sum;
  }
}

void OutsideFill::blank(std::span<float> pixels, float value) const {
  for (const Target& target : targets_) pixels[static_cast<size_t>(target.pixel)] = value;
}

}  // namespace voxloom::filters
