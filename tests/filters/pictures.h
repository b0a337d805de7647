#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/image/frame.h"

namespace voxloom::test {

/// A soft, bumpy background without lines: what anatomy looks like to a filter. `shift` moves it.
inline image::Frame anatomy(int64_t width, int64_t height, double shift_x = 0, double shift_y = 0) {
  image::Frame frame{.width = width, .height = height};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double u = static_cast<double>(x) - shift_x, v = static_cast<double>(y) - shift_y;
      double value = 0.6;
      value += 0.08 * std::sin(u / 9.0 + 1.3 * std::sin(v / 17.0));
      value += 0.06 * std::sin(v / 11.0 + 0.8 * std::cos(u / 23.0));
      value += 0.05 * std::sin((u + 2.0 * v) / 31.0);
      frame.pixels.push_back(static_cast<float>(value));
    }
  }
  return frame;
}

/// Multiplies by a dark line of Gaussian profile, as an absorbing wire does.
inline void draw_wire(
    image::Frame& frame, double x0, double y0, double x1, double y1, double depth, double sigma) {
  const double length = std::hypot(x1 - x0, y1 - y0);
  const double tx = (x1 - x0) / length, ty = (y1 - y0) / length;
  for (int64_t y = 0; y < frame.height; ++y) {
    for (int64_t x = 0; x < frame.width; ++x) {
      const double px = static_cast<double>(x) - x0, py = static_cast<double>(y) - y0;
      const double along = std::clamp(px * tx + py * ty, 0.0, length);
      const double off = std::hypot(px - along * tx, py - along * ty);
      frame.pixels[static_cast<size_t>(y * frame.width + x)] *=
          static_cast<float>(1.0 - depth * std::exp(-off * off / (2.0 * sigma * sigma)));
    }
  }
}

inline void add_noise(image::Frame& frame, double sigma, uint64_t seed) {
  Rng rng(seed);
  for (float& v : frame.pixels) v += static_cast<float>(rng.normal(0.0, sigma));
}

inline float at(const std::vector<float>& pixels, int64_t width, int64_t x, int64_t y) {
  return pixels[static_cast<size_t>(y * width + x)];
}

inline double mean_of(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

inline double std_of(const std::vector<float>& values) {
  const double mean = mean_of(values);
  double sum = 0.0;
  for (const float v : values) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace voxloom::test
