#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/core/random.h"

namespace voxloom::data {

/// A grey picture that augmentations work on.
struct Plane {
  int64_t width = 0, height = 0;
  std::vector<float> pixels;  ///< [H, W], nominally in [0, 1].

  [[nodiscard]] float& at(int64_t x, int64_t y) {
    return pixels[static_cast<size_t>(y * width + x)];
  }
  [[nodiscard]] float at(int64_t x, int64_t y) const {
    return pixels[static_cast<size_t>(y * width + x)];
  }
};

struct PlaneStatistics {
  float mean = 0.0F, std = 0.0F, min = 0.0F, max = 0.0F;
};
[[nodiscard]] PlaneStatistics statistics(const Plane& plane);

/// Gaussian blur with mirrored borders; sigma in px. Above 4 px three box filters take its place
/// (their cost does not grow with sigma). Nothing happens at sigma <= 0.
void gaussian_blur(Plane& plane, double sigma);

/// The mean along a line of `length` px at `angle` (radians), bilinear samples every half pixel.
void motion_blur(Plane& plane, double length, double angle);

/// Adds white Gaussian noise.
void add_noise(Plane& plane, double sigma, Rng& rng);

/// (v - min) / range to the power `gamma`, min and range kept.
void apply_gamma(Plane& plane, double gamma, const PlaneStatistics& before);

/// Fills `out` (its size says which) from `in` by separable cubic convolution (Keys 1981, a =
/// -1/2); pixel centres are aligned, the border is repeated.
void resize_cubic(const Plane& in, Plane& out);

/// Weights of the four pixels around a position `f` behind the second one.
[[nodiscard]] std::array<float, 4> cubic_weights(float f);

void clamp(Plane& plane, float lo, float hi);

}  // namespace voxloom::data
