#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

/// Compiles a function for AVX-512, AVX2 and the baseline; the loader picks one at start. Loops in
/// it (and in inline functions that it calls) become vector code by themselves. Features, not
/// "arch=": clang 14 picks those by the processor's maker.
#if defined(__x86_64__) && (defined(__clang__) || defined(__GNUC__)) && \
    !defined(__SANITIZE_THREAD__)
#define VOXLOOM_FOR_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VOXLOOM_FOR_EACH_ISA
#endif
/// For what those functions call: a call would end the vector code.
#define VOXLOOM_INLINE inline __attribute__((always_inline))

namespace voxloom::filters {

/// e^x for x <= 0 without branches: range reduction by ln 2 and a polynomial, relative error below
/// 3e-7; 0 below -87.
VOXLOOM_INLINE float exp_below_zero(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number.
  const float clamped = std::max(x, -87.0F);
  const float n = (clamped * kLog2E + kRound) - kRound;
  const float r = (clamped - n * kLn2High) - n * kLn2Low;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  const float scale = std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
  return x < -87.0F ? 0.0F : p * scale;
}

/// ln x for normal x > 0 without branches: the mantissa's series in (m - 1) / (m + 1), absolute
/// error below 2e-6 on (0, 1].
VOXLOOM_INLINE float log_positive(float x) {
  constexpr float kLn2 = 0.69314718F;
  const auto bits = std::bit_cast<int32_t>(x);
  // Mantissa within [sqrt(1/2), sqrt(2)).
  const int32_t shifted = bits - 0x3f3504f3;
  const int32_t exponent = shifted >> 23;
  const float m = std::bit_cast<float>(bits - (exponent << 23));
  const float s = (m - 1.0F) / (m + 1.0F), s2 = s * s;
  const float series =
      2.0F * s * (1.0F + s2 * (1.0F / 3 + s2 * (1.0F / 5 + s2 * (1.0F / 7 + s2 / 9))));
  return static_cast<float>(exponent) * kLn2 + series;
}

}  // namespace voxloom::filters
