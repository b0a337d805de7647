#pragma once

#include <cstdint>

#include "voxloom/kernels/simd/ops.h"

// Inner loops over an abstract vector type V. Included by one source per instruction set, each
// compiled with its own flags. For that reason nothing here may come from the standard library's
// inline functions (the linker would keep one copy, perhaps the one with foreign instructions),
// and V must live in an unnamed namespace, so that every instantiation stays in its source.
//
// V offers: T, width, zero, set1, load, store, add, sub, mul, max, fma(a, b, c) = a b + c,
// not_equal_any(a, b), exp2 (arguments <= 0), swap_pairs.
namespace voxloom::kernels::simd {

// 2^r on [-0.5, 0.5], the core of every V::exp2.
// Degree 6 with c0 = 1, least maximum of the relative error (2e-9, so rounding dominates).
template <class V>
inline typename V::T exp2_polynomial(typename V::T r) {
  using T = typename V::T;
  T p = V::set1(1.53533606e-4F);
  p = V::fma(p, r, V::set1(1.33988749e-3F));
  p = V::fma(p, r, V::set1(9.61843737e-3F));
  p = V::fma(p, r, V::set1(5.55033247e-2F));
  p = V::fma(p, r, V::set1(2.40226479e-1F));
  p = V::fma(p, r, V::set1(6.93147203e-1F));
  return V::fma(p, r, V::set1(1.0F));
}

// MR rows of C, NV vectors wide: all sums stay in registers.
template <class V, int MR, int NV>
inline void gemm_block(int64_t k,
                       const float* a,
                       int64_t lda,
                       const float* b,
                       float* c,
                       int64_t ldc,
                       bool accumulate) {
  using T = typename V::T;
  T sum[MR][NV];
  for (int i = 0; i < MR; ++i) {
    for (int j = 0; j < NV; ++j) {
      sum[i][j] = accumulate ? V::load(c + i * ldc + j * V::width) : V::zero();
    }
  }
  for (int64_t p = 0; p < k; ++p) {
    T column[NV];
    for (int j = 0; j < NV; ++j) column[j] = V::load(b + p * NV * V::width + j * V::width);
    for (int i = 0; i < MR; ++i) {
      const T value = V::set1(a[i * lda + p]);
      for (int j = 0; j < NV; ++j) sum[i][j] = V::fma(value, column[j], sum[i][j]);
    }
  }
  for (int i = 0; i < MR; ++i) {
    for (int j = 0; j < NV; ++j) V::store(c + i * ldc + j * V::width, sum[i][j]);
  }
}

// The last m < MR rows.
template <class V, int MR, int NV>
inline void gemm_tail(int64_t m,
                      int64_t k,
                      const float* a,
                      int64_t lda,
                      const float* b,
                      float* c,
                      int64_t ldc,
                      bool accumulate) {
  if constexpr (MR > 0) {
    if (m == MR) {
      gemm_block<V, MR, NV>(k, a, lda, b, c, ldc, accumulate);
    } else {
      gemm_tail<V, MR - 1, NV>(m, k, a, lda, b, c, ldc, accumulate);
    }
  }
}

template <class V, int MR, int NV>
void gemm(int64_t m,
          int64_t k,
          const float* a,
          int64_t lda,
          const float* b,
          float* c,
          int64_t ldc,
          bool accumulate) {
  int64_t i = 0;
  for (; i + MR <= m; i += MR) {
    gemm_block<V, MR, NV>(k, a + i * lda, lda, b, c + i * ldc, ldc, accumulate);
  }
  gemm_tail<V, MR - 1, NV>(m - i, k, a + i * lda, lda, b, c + i * ldc, ldc, accumulate);
}

// New maximum and the factor for what was summed so far.
template <class V, int NV>
inline bool softmax_maximum(
    const float* scores, int64_t rows, float* max, float* factor, typename V::T (&top)[NV]) {
  constexpr int64_t lanes = NV * V::width;
  using T = typename V::T;
  T old[NV];
  for (int j = 0; j < NV; ++j) top[j] = old[j] = V::load(max + j * V::width);
  for (int64_t i = 0; i < rows; ++i) {
    for (int j = 0; j < NV; ++j) {
      top[j] = V::max(top[j], V::load(scores + i * lanes + j * V::width));
    }
  }
  bool changed = false;
  for (int j = 0; j < NV; ++j) {
    changed = V::not_equal_any(top[j], old[j]) || changed;
    V::store(max + j * V::width, top[j]);
    V::store(factor + j * V::width, V::exp2(V::sub(old[j], top[j])));
  }
  return changed;
}

template <class V, int NV>
bool softmax_step(float* scores, int64_t rows, float* max, float* sum, float* factor) {
  constexpr int64_t lanes = NV * V::width;
  using T = typename V::T;
  T top[NV];
  const bool changed = softmax_maximum<V, NV>(scores, rows, max, factor, top);
  T total[NV];
  for (int j = 0; j < NV; ++j) {
    total[j] = V::mul(V::load(sum + j * V::width), V::load(factor + j * V::width));
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int j = 0; j < NV; ++j) {
      float* s = scores + i * lanes + j * V::width;
      const T p = V::exp2(V::sub(V::load(s), top[j]));
      total[j] = V::add(total[j], p);
      V::store(s, p);
    }
  }
  for (int j = 0; j < NV; ++j) V::store(sum + j * V::width, total[j]);
  return changed;
}

template <class V, int NV>
void scale_lanes(float* c, int64_t rows, const float* factor) {
  for (int j = 0; j < NV; ++j) {
    const typename V::T f = V::load(factor + j * V::width);
    for (int64_t i = 0; i < rows; ++i) {
      float* at = c + i * NV * V::width + j * V::width;
      V::store(at, V::mul(V::load(at), f));
    }
  }
}

template <class V>
inline float lane_sum(typename V::T v) {
  float lanes[V::width];
  V::store(lanes, v);
  float total = 0.0F;
  for (int i = 0; i < V::width; ++i) total += lanes[i];
  return total;
}

// Two passes (mean, then squared distances): no cancellation.
template <class V>
void layer_norm(const float* x,
                int64_t rows,
                int64_t width,
                const float* weight,
                const float* bias,
                float epsilon,
                float* y) {
  using T = typename V::T;
  const int64_t whole = width / V::width * V::width;
  for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
    T total = V::zero();
    for (int64_t i = 0; i < whole; i += V::width) total = V::add(total, V::load(x + i));
    float mean = lane_sum<V>(total);
    for (int64_t i = whole; i < width; ++i) mean += x[i];
    mean /= static_cast<float>(width);
    const T center = V::set1(mean);
    total = V::zero();
    for (int64_t i = 0; i < whole; i += V::width) {
      const T d = V::sub(V::load(x + i), center);
      total = V::fma(d, d, total);
    }
    float square = lane_sum<V>(total);
    for (int64_t i = whole; i < width; ++i) square += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.0F / __builtin_sqrtf(square / static_cast<float>(width) + epsilon);
    const T scales = V::set1(scale);
    for (int64_t i = 0; i < whole; i += V::width) {
      const T d = V::mul(V::sub(V::load(x + i), center), scales);
      V::store(y + i, V::fma(d, V::load(weight + i), V::load(bias + i)));
    }
    for (int64_t i = whole; i < width; ++i) y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
  }
}

template <class V>
void rotate(const float* row,
            const float* shift,
            const float* cosine,
            const float* sine,
            int64_t width,
            float* y) {
  using T = typename V::T;
  int64_t i = 0;
  if constexpr (V::width > 1) {
    for (; i + V::width <= width; i += V::width) {
      T v = V::load(row + i);
      if (shift != nullptr) v = V::add(v, V::load(shift + i));
      const T turned = V::mul(V::swap_pairs(v), V::load(sine + i));
      V::store(y + i, V::fma(v, V::load(cosine + i), turned));
    }
  }
  for (; i < width; i += 2) {
    const float a = row[i] + (shift != nullptr ? shift[i] : 0.0F);
    const float b = row[i + 1] + (shift != nullptr ? shift[i + 1] : 0.0F);
    y[i] = a * cosine[i] + b * sine[i];
    y[i + 1] = b * cosine[i + 1] + a * sine[i + 1];
  }
}

template <class V, int MR, int NV>
constexpr F32Ops make_f32_ops() {
  return {.lanes = NV * V::width,
          .gemm = &gemm<V, MR, NV>,
          .softmax_step = &softmax_step<V, NV>,
          .scale_lanes = &scale_lanes<V, NV>,
          .layer_norm = &layer_norm<V>,
          .rotate = &rotate<V>};
}

}  // namespace voxloom::kernels::simd
