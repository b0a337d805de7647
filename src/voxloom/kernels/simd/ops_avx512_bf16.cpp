#include "voxloom/kernels/simd/bf16_avx512.h"

// Compiled with the flags of ops_avx512.cpp and -mavx512bf16.
namespace voxloom::kernels::simd {
namespace {

// As gemm_block of generic.h, two steps of k at a time: one lane of the panel holds a pair.
template <int MR, int NV>
inline void block(int64_t k,
                  const uint16_t* a,
                  int64_t lda,
                  const uint16_t* b,
                  float* c,
                  int64_t ldc,
                  bool accumulate) {
  __m512 sum[MR][NV];
  for (int i = 0; i < MR; ++i) {
    for (int j = 0; j < NV; ++j) {
      sum[i][j] = accumulate ? _mm512_loadu_ps(c + i * ldc + j * 16) : _mm512_setzero_ps();
    }
  }
  for (int64_t p = 0; p < k; p += 2) {
    __m512bh column[NV];
    for (int j = 0; j < NV; ++j) {
      column[j] = (__m512bh)_mm512_loadu_si512(b + p * NV * 16 + j * 32);
    }
    for (int i = 0; i < MR; ++i) {
      int pair = 0;
      __builtin_memcpy(&pair, a + i * lda + p, sizeof(pair));
      const auto value = (__m512bh)_mm512_set1_epi32(pair);
      for (int j = 0; j < NV; ++j) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], value, column[j]);
    }
  }
  for (int i = 0; i < MR; ++i) {
    for (int j = 0; j < NV; ++j) _mm512_storeu_ps(c + i * ldc + j * 16, sum[i][j]);
  }
}

template <int MR, int NV>
inline void tail(int64_t m,
                 int64_t k,
                 const uint16_t* a,
                 int64_t lda,
                 const uint16_t* b,
                 float* c,
                 int64_t ldc,
                 bool accumulate) {
  if constexpr (MR > 0) {
    if (m == MR) {
      block<MR, NV>(k, a, lda, b, c, ldc, accumulate);
    } else {
      tail<MR - 1, NV>(m, k, a, lda, b, c, ldc, accumulate);
    }
  }
}

template <int MR, int NV>
void gemm_bf16(int64_t m,
               int64_t k,
               const uint16_t* a,
               int64_t lda,
               const uint16_t* b,
               float* c,
               int64_t ldc,
               bool accumulate) {
  int64_t i = 0;
  for (; i + MR <= m; i += MR) {
    block<MR, NV>(k, a + i * lda, lda, b, c + i * ldc, ldc, accumulate);
  }
  tail<MR - 1, NV>(m - i, k, a + i * lda, lda, b, c + i * ldc, ldc, accumulate);
}

}  // namespace

const Bf16Ops& bf16_ops_avx512() {
  static constexpr Bf16Ops ops = {.lanes = 32,
                                  .gemm = &gemm_bf16<12, 2>,
                                  .softmax_step = &softmax_step_bf16<2>,
                                  .scale_lanes = &scale_lanes<Vec512, 2>,
                                  .convert = &convert_bf16};
  return ops;
}

}  // namespace voxloom::kernels::simd
