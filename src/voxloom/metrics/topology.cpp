#include "voxloom/metrics/topology.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/image/components.h"

namespace voxloom::metrics {
namespace {

void check_length(size_t length, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && length == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "topology: mask must hold {}x{} pixels, got {}",
                width,
                height,
                length);
}

// Is there a mask pixel in the 3x3 pixels around (x, y)?
bool touches(std::span<const uint8_t> mask, int64_t width, int64_t height, int64_t x, int64_t y) {
  for (int64_t v = std::max<int64_t>(y - 1, 0); v <= std::min(y + 1, height - 1); ++v) {
    for (int64_t u = std::max<int64_t>(x - 1, 0); u <= std::min(x + 1, width - 1); ++u) {
      if (mask[static_cast<size_t>(v * width + u)] != 0) return true;
    }
  }
  return false;
}

// Four times the Euler characteristic for 8-connected pixels: 2x2 windows with one pixel, minus
// those with three, minus twice those with two on a diagonal. Windows reach over the border.
int64_t four_euler(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  int64_t sum = 0;
  for (int64_t y = 0; y <= height; ++y) {
    const uint8_t* const above = y > 0 ? mask.data() + (y - 1) * width : nullptr;
    const uint8_t* const below = y < height ? mask.data() + y * width : nullptr;
    bool a0 = false, b0 = false;
    for (int64_t x = 0; x <= width; ++x) {
      const bool a1 = above != nullptr && x < width && above[x] != 0;
      const bool b1 = below != nullptr && x < width && below[x] != 0;
      const int n = a0 + a1 + b0 + b1;
      if (n == 1) ++sum;
      if (n == 3) --sum;
      if (n == 2 && a0 == b1) sum -= 2;
      a0 = a1;
      b0 = b1;
    }
  }
  return sum;
}

}  // namespace

Betti betti_numbers(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  check_length(mask.size(), width, height);
  const auto map = image::label_components(mask, {width, height, 1});
  const auto b0 = static_cast<int64_t>(map.components.size());
  return {b0, b0 - four_euler(mask, width, height) / 4};
}

BettiError betti_error(const Betti& truth, const Betti& predicted) {
  return {std::abs(predicted.components - truth.components),
          std::abs(predicted.holes - truth.holes)};
}

int64_t count_breaks(std::span<const uint8_t> line,
                     std::span<const uint8_t> predicted,
                     int64_t width,
                     int64_t height,
                     int64_t longest_bridged) {
  check_length(line.size(), width, height);
  check_length(predicted.size(), width, height);
  std::vector<uint8_t> bare(line.size(), 0);
  for (size_t i = 0; i < line.size(); ++i) {
    const auto k = static_cast<int64_t>(i);
    bare[i] = line[i] != 0 && !touches(predicted, width, height, k % width, k / width);
  }
  const auto map = image::label_components(bare, {width, height, 1});
  return std::count_if(map.components.begin(), map.components.end(), [=](const auto& c) {
    return c.size > longest_bridged;
  });
}

int64_t count_spurious(std::span<const uint8_t> truth,
                       std::span<const uint8_t> predicted,
                       std::span<const uint8_t> predicted_skeleton,
                       int64_t width,
                       int64_t height,
                       int64_t longest_ignored) {
  for (const auto mask : {truth, predicted, predicted_skeleton}) {
    check_length(mask.size(), width, height);
  }
  const auto map = image::label_components(predicted, {width, height, 1});
  std::vector<int64_t> length(map.components.size(), 0);
  std::vector<uint8_t> meets(map.components.size(), 0);
  map.for_each_run([&](int64_t first, int64_t count, int32_t component) {
    const auto c = static_cast<size_t>(component);
    for (int64_t i = first; i < first + count; ++i) {
      length[c] += predicted_skeleton[static_cast<size_t>(i)] != 0;
      if (meets[c] == 0) meets[c] = touches(truth, width, height, i % width, i / width);
    }
  });
  int64_t spurious = 0;
  for (size_t c = 0; c < length.size(); ++c)
    spurious += meets[c] == 0 && length[c] > longest_ignored;
  return spurious;
}

}  // namespace voxloom::metrics
