#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/core/random.h"

namespace voxloom::test {

/// A small image [height, width] for property tests.
struct SmallMask {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;

  [[nodiscard]] uint8_t at(int64_t x, int64_t y) const {
    if (x < 0 || y < 0 || x >= width || y >= height) return 0;
    return pixels[static_cast<size_t>(y * width + x)];
  }
};

/// Noise of any density.
inline SmallMask random_mask(Rng& rng, int64_t width, int64_t height) {
  SmallMask m{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height))};
  const double density = rng.uniform();
  for (auto& v : m.pixels) v = rng.uniform() < density;
  return m;
}

/// A few thick random walks: line-like, with crossings and loops.
inline SmallMask random_wires(Rng& rng, int64_t width, int64_t height, int64_t wires = 2) {
  SmallMask m{width, height, std::vector<uint8_t>(static_cast<size_t>(width * height), 0)};
  for (int64_t i = 0; i < wires; ++i) {
    double x = rng.uniform(0, static_cast<double>(width));
    double y = rng.uniform(0, static_cast<double>(height));
    double dx = rng.normal(), dy = rng.normal();
    const auto half = static_cast<int64_t>(rng.below(3));
    for (int64_t k = 0; k < width; ++k) {
      const auto cx = static_cast<int64_t>(x), cy = static_cast<int64_t>(y);
      for (int64_t v = cy - half; v <= cy + half; ++v) {
        for (int64_t u = cx; u <= cx + half; ++u) {
          if (u < 0 || v < 0 || u >= width || v >= height) continue;
          m.pixels[static_cast<size_t>(v * width + u)] = 1;
        }
      }
      dx += 0.4 * rng.normal();
      dy += 0.4 * rng.normal();
      const double norm = 0.7 / (1e-9 + (dx < 0 ? -dx : dx) + (dy < 0 ? -dy : dy));
      dx *= norm;
      dy *= norm;
      x += dx;
      y += dy;
    }
  }
  return m;
}

/// One of the eight flips and quarter turns: bit 0 flips x, bit 1 flips y, bit 2 exchanges x and y.
inline SmallMask turned(const SmallMask& m, int symmetry) {
  const bool swap = (symmetry & 4) != 0;
  SmallMask out{swap ? m.height : m.width, swap ? m.width : m.height, {}};
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x) {
      int64_t u = swap ? y : x, v = swap ? x : y;
      if ((symmetry & 1) != 0) u = m.width - 1 - u;
      if ((symmetry & 2) != 0) v = m.height - 1 - v;
      out.pixels.push_back(m.at(u, v));
    }
  }
  return out;
}

/// In a larger image, moved by (dx, dy).
inline SmallMask moved(const SmallMask& m, int64_t dx, int64_t dy, int64_t width, int64_t height) {
  SmallMask out{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) out.pixels.push_back(m.at(x - dx, y - dy));
  }
  return out;
}

}  // namespace voxloom::test
