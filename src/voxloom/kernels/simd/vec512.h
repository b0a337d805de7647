#pragma once

#include <immintrin.h>

#include "voxloom/kernels/simd/generic.h"

// For the sources compiled with AVX-512 flags; see generic.h for why the namespace is unnamed.
namespace voxloom::kernels::simd {
namespace {  // NOLINT(google-build-namespaces)

struct Vec512 {
  using T = __m512;
  static constexpr int width = 16;
  static T zero() { return _mm512_setzero_ps(); }
  static T set1(float v) { return _mm512_set1_ps(v); }
  static T load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, T v) { _mm512_storeu_ps(p, v); }
  static T add(T a, T b) { return _mm512_add_ps(a, b); }
  static T sub(T a, T b) { return _mm512_sub_ps(a, b); }
  static T mul(T a, T b) { return _mm512_mul_ps(a, b); }
  static T max(T a, T b) { return _mm512_max_ps(b, a); }
  static T fma(T a, T b, T c) { return _mm512_fmadd_ps(a, b, c); }
  static bool not_equal_any(T a, T b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ) != 0; }
  static T swap_pairs(T v) { return _mm512_permute_ps(v, 0xb1); }
  // scalef multiplies by 2^n for any n; the clamp keeps -infinity out of x - n.
  static T exp2(T x) {
    x = _mm512_max_ps(set1(-200.0F), x);
    const T n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm512_scalef_ps(exp2_polynomial<Vec512>(sub(x, n)), n);
  }
};

}  // namespace
}  // namespace voxloom::kernels::simd
