#pragma once

#include "voxloom/kernels/simd/vec512.h"

// What the AVX-512 bf16 and AMX tables share. Needs -mavx512bf16 beside the flags of vec512.h.
namespace voxloom::kernels::simd {
namespace {  // NOLINT(google-build-namespaces)

// [even | odd] (16 values each) to the pairs (even 0, odd 0), (even 1, odd 1), ...
inline __m512i interleave_halves(__m512i halves) {
  const __m512i order = _mm512_set_epi16(31,
                                         15,
                                         30,
                                         14,
                                         29,
                                         13,
                                         28,
                                         12,
                                         27,
                                         11,
                                         26,
                                         10,
                                         25,
                                         9,
                                         24,
                                         8,
                                         23,
                                         7,
                                         22,
                                         6,
                                         21,
                                         5,
                                         20,
                                         4,
                                         19,
                                         3,
                                         18,
                                         2,
                                         17,
                                         1,
                                         16,
                                         0);
  return _mm512_permutexvar_epi16(order, halves);
}

template <int NV>
bool softmax_step_bf16(const float* scores,
                       int64_t rows,
                       int64_t padded,
                       float* max,
                       float* sum,
                       float* factor,
                       uint16_t* p) {
  using V = Vec512;
  constexpr int64_t lanes = NV * V::width;
  __m512 top[NV];
  const bool changed = softmax_maximum<V, NV>(scores, rows, max, factor, top);
  __m512 total[NV];
  for (int j = 0; j < NV; ++j) {
    total[j] = V::mul(V::load(sum + j * V::width), V::load(factor + j * V::width));
  }
  for (int64_t i = 0; i < padded; i += 2) {
    for (int j = 0; j < NV; ++j) {
      const float* s = scores + i * lanes + j * V::width;
      __m512 even = V::zero();
      __m512 odd = V::zero();
      if (i < rows) even = V::exp2(V::sub(V::load(s), top[j]));
      if (i + 1 < rows) odd = V::exp2(V::sub(V::load(s + lanes), top[j]));
      total[j] = V::add(total[j], V::add(even, odd));
      const auto halves = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
      _mm512_storeu_si512(p + (i / 2) * 2 * lanes + 2 * j * V::width, interleave_halves(halves));
    }
  }
  for (int j = 0; j < NV; ++j) V::store(sum + j * V::width, total[j]);
  return changed;
}

inline void convert_bf16(const float* x, int64_t count, uint16_t* y) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const auto v = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i));
    _mm512_storeu_si512(y + i, (__m512i)v);
  }
  for (; i < count; i += 16) {
    const auto left = static_cast<unsigned>(count - i);
    const auto mask = static_cast<__mmask16>(left >= 16 ? 0xffffU : (1U << left) - 1U);
    const auto v = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, x + i));
    _mm256_mask_storeu_epi16(y + i, mask, (__m256i)v);
  }
}

}  // namespace
}  // namespace voxloom::kernels::simd
