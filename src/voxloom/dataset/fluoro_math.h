#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace voxloom::dataset {

/// e^x to a relative 2e-7 for |x| < 80, without a call, so that loops over it vectorise and every
/// machine gets the same bits.
inline float fast_exp(float x) {
  const float t = std::clamp(x, -80.0F, 80.0F) * 1.44269504F;
  const int32_t whole = static_cast<int32_t>(t + 1000.5F) - 1000;
  const float f = (t - static_cast<float>(whole)) * 0.69314718F;  // |f| <= 0.35
  const float p =
      1.0F + f * (1.0F + f * (0.5F + f * (0.16666667F +
                                          f * (0.041666668F + f * (8.3333e-3F + f * 1.3889e-3F)))));
  return p * std::bit_cast<float>((whole + 127) << 23);
}

/// 0 below `a`, 1 above `b`, smooth between.
inline double smooth_step(double a, double b, double x) {
  const double t = std::clamp((x - a) / (b - a), 0.0, 1.0);
  return t * t * (3.0 - 2.0 * t);
}

inline constexpr double kPi = std::numbers::pi;

}  // namespace voxloom::dataset
