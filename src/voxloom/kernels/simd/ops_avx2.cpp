#include <immintrin.h>

#include "voxloom/kernels/simd/generic.h"

// Compiled with -mavx2 -mfma; reached only where the processor has both.
namespace voxloom::kernels::simd {
namespace {

struct Vec256 {
  using T = __m256;
  static constexpr int width = 8;
  static T zero() { return _mm256_setzero_ps(); }
  static T set1(float v) { return _mm256_set1_ps(v); }
  static T load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, T v) { _mm256_storeu_ps(p, v); }
  static T add(T a, T b) { return _mm256_add_ps(a, b); }
  static T sub(T a, T b) { return _mm256_sub_ps(a, b); }
  static T mul(T a, T b) { return _mm256_mul_ps(a, b); }
  static T max(T a, T b) { return _mm256_max_ps(b, a); }
  static T fma(T a, T b, T c) { return _mm256_fmadd_ps(a, b, c); }
  static bool not_equal_any(T a, T b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NEQ_UQ)) != 0;
  }
  static T swap_pairs(T v) { return _mm256_permute_ps(v, 0xb1); }
  // 2^x = 2^n 2^r; n goes straight into the exponent. At n = -127 the exponent field is zero, and
  // so is the result: everything below is clamped there.
  static T exp2(T x) {
    x = _mm256_max_ps(set1(-127.0F), x);
    const T n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const T p = exp2_polynomial<Vec256>(sub(x, n));
    const __m256i exponent =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return mul(p, _mm256_castsi256_ps(exponent));
  }
};

}  // namespace

// 6 rows x 2 vectors: 12 sums, 2 panel loads and one broadcast in 16 registers.
const F32Ops& f32_ops_avx2() {
  static constexpr F32Ops ops = make_f32_ops<Vec256, 6, 2>();
  return ops;
}

}  // namespace voxloom::kernels::simd
