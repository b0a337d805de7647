#pragma once

#include <cstdint>

#include "voxloom/kernels/isa.h"

// The inner loops that exist once per instruction set. Everything above them (tiling, threads,
// caches) is written once and calls through these tables.
//
// One product serves all: C [m, lanes] (+)= A [m, k] B [k, lanes], where A is row-major with any
// stride and B is a packed panel. Scores use A = keys and B = queries, so that queries lie in
// vector lanes: the softmax over keys then needs no sum across lanes, and keys need no packing.
// The weighted sum of values uses A = values transposed and B = probabilities. Linear layers use
// A = tokens and B = packed weights.
namespace voxloom::kernels::simd {

struct F32Ops {
  int64_t lanes;  ///< Width of a panel, at most kMaxLanes.

  /// b: [k][lanes]. accumulate adds to C instead of writing it.
  void (*gemm)(int64_t m,
               int64_t k,
               const float* a,
               int64_t lda,
               const float* b,
               float* c,
               int64_t ldc,
               bool accumulate);

  /// One step of the online softmax (Milakov and Gimelshein 2018, arXiv:1805.02867), base 2.
  /// scores [rows][lanes] become 2^(score - max); running max and sum [lanes] are brought up to
  /// date; factor [lanes] is what earlier sums must be multiplied by. Returns whether any factor
  /// differs from 1.
  bool (*softmax_step)(float* scores, int64_t rows, float* max, float* sum, float* factor);

  /// c [rows][lanes] *= factor [lanes].
  void (*scale_lanes)(float* c, int64_t rows, const float* factor);

  /// y = (x - mean) / sqrt(var + epsilon) * weight + bias over each row of x [rows][width].
  void (*layer_norm)(const float* x,
                     int64_t rows,
                     int64_t width,
                     const float* weight,
                     const float* bias,
                     float epsilon,
                     float* y);

  /// Rotates the pairs (2p, 2p+1) of row + shift: y = (row + shift) * cosine
  /// + swapped(row + shift) * sine, with the sign of the sine in the table. shift may be null;
  /// y may be row. width: a multiple of 2.
  void (*rotate)(const float* row,
                 const float* shift,
                 const float* cosine,
                 const float* sine,
                 int64_t width,
                 float* y);
};

struct Bf16Ops {
  int64_t lanes;  ///< Width of a panel, at most kMaxLanes.

  /// a: bf16; b: [k / 2][lanes][2] bf16 (pairs along k); c: f32. k: a multiple of 32.
  void (*gemm)(int64_t m,
               int64_t k,
               const uint16_t* a,
               int64_t lda,
               const uint16_t* b,
               float* c,
               int64_t ldc,
               bool accumulate);

  /// As F32Ops::softmax_step, but the probabilities go to p as a panel [padded / 2][lanes][2],
  /// rows to `padded` (a multiple of 2) filled with zero.
  bool (*softmax_step)(const float* scores,
                       int64_t rows,
                       int64_t padded,
                       float* max,
                       float* sum,
                       float* factor,
                       uint16_t* p);

  void (*scale_lanes)(float* c, int64_t rows, const float* factor);

  /// Rounds `count` floats.
  void (*convert)(const float* x, int64_t count, uint16_t* y);
};

inline constexpr int64_t kMaxLanes = 64;

/// The table of the active instruction set of each precision.
const F32Ops& f32_ops();
const Bf16Ops& bf16_ops();

const F32Ops& f32_ops_scalar();
const Bf16Ops& bf16_ops_scalar();
#if defined(__x86_64__)
const F32Ops& f32_ops_avx2();
const F32Ops& f32_ops_avx512();
const Bf16Ops& bf16_ops_avx512();
const Bf16Ops& bf16_ops_amx();
#endif

}  // namespace voxloom::kernels::simd
