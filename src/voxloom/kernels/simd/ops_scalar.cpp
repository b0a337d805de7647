#include <cmath>

#include "voxloom/kernels/bf16.h"
#include "voxloom/kernels/simd/generic.h"

// Portable loops: the reference that the other sources are compared with, and the fallback.
namespace voxloom::kernels::simd {
namespace {

struct VecScalar {
  using T = float;
  static constexpr int width = 1;
  static T zero() { return 0.0F; }
  static T set1(float v) { return v; }
  static T load(const float* p) { return *p; }
  static void store(float* p, T v) { *p = v; }
  static T add(T a, T b) { return a + b; }
  static T sub(T a, T b) { return a - b; }
  static T mul(T a, T b) { return a * b; }
  static T max(T a, T b) { return a > b ? a : b; }
  static T fma(T a, T b, T c) { return a * b + c; }
  static bool not_equal_any(T a, T b) { return a != b; }
  static T exp2(T x) { return std::exp2(x); }
};

constexpr int kLanes = 8;

void gemm_bf16(int64_t m,
               int64_t k,
               const uint16_t* a,
               int64_t lda,
               const uint16_t* b,
               float* c,
               int64_t ldc,
               bool accumulate) {
  for (int64_t i = 0; i < m; ++i) {
    float sum[kLanes];
    for (int j = 0; j < kLanes; ++j) sum[j] = accumulate ? c[i * ldc + j] : 0.0F;
    for (int64_t p = 0; p < k; p += 2) {
      const float first = from_bf16(a[i * lda + p]);
      const float second = from_bf16(a[i * lda + p + 1]);
      const uint16_t* pairs = b + p * kLanes;
      for (int j = 0; j < kLanes; ++j) {
        sum[j] += first * from_bf16(pairs[2 * j]) + second * from_bf16(pairs[2 * j + 1]);
      }
    }
    for (int j = 0; j < kLanes; ++j) c[i * ldc + j] = sum[j];
  }
}

bool softmax_step_bf16(const float* scores,
                       int64_t rows,
                       int64_t padded,
                       float* max,
                       float* sum,
                       float* factor,
                       uint16_t* p) {
  float top[kLanes];
  const bool changed = softmax_maximum<VecScalar, kLanes>(scores, rows, max, factor, top);
  for (int j = 0; j < kLanes; ++j) sum[j] *= factor[j];
  for (int64_t i = 0; i < padded; ++i) {
    for (int j = 0; j < kLanes; ++j) {
      const float value = i < rows ? std::exp2(scores[i * kLanes + j] - top[j]) : 0.0F;
      sum[j] += value;
      p[(i / 2) * 2 * kLanes + 2 * j + i % 2] = to_bf16(value);
    }
  }
  return changed;
}

void convert(const float* x, int64_t count, uint16_t* y) {
  for (int64_t i = 0; i < count; ++i) y[i] = to_bf16(x[i]);
}

}  // namespace

const F32Ops& f32_ops_scalar() {
  static constexpr F32Ops ops = make_f32_ops<VecScalar, 1, kLanes>();
  return ops;
}

const Bf16Ops& bf16_ops_scalar() {
  static constexpr Bf16Ops ops = {.lanes = kLanes,
                                  .gemm = &gemm_bf16,
                                  .softmax_step = &softmax_step_bf16,
                                  .scale_lanes = &scale_lanes<VecScalar, kLanes>,
                                  .convert = &convert};
  return ops;
}

}  // namespace voxloom::kernels::simd
