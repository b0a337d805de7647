#pragma once

#include <cstdint>
#include <span>

#include "voxloom/kernels/bf16.h"

namespace voxloom::kernels {

/// Sizes of one attention call, one head.
struct AttentionShape {
  int64_t queries = 0;         ///< N
  int64_t key_channels = 0;    ///< Dq; for bf16 a multiple of 32.
  int64_t value_channels = 0;  ///< Dv
};

/// Some of the keys and values. A call reads a list of these, so that the maps of a memory bank
/// are never copied together. Keys lie as rows, values *transposed*: with queries in vector
/// lanes both products then read memory in order, without a packed copy (simd/ops.h).
struct KeySegment {
  const float* keys = nullptr;    ///< [rows, Dq]
  const float* values = nullptr;  ///< [Dv][value_stride], value_stride >= rows.
  int64_t rows = 0;               ///< May be 0.
  int64_t value_stride = 0;
};

/// The same in bf16. Made by convert_rows(), transpose() and pad_transposed() of packing.h: keys
/// hold padded_rows(rows) rows, values value_stride >= padded_rows(rows), what was added is zero.
struct KeySegmentBf16 {
  const Bf16* keys = nullptr;
  const Bf16* values = nullptr;
  int64_t rows = 0;
  int64_t value_stride = 0;
};

/// out [N, Dv] = softmax(scale q k^T) v over the keys of all segments.
///
/// q [N, Dq]. Tiled with an online softmax: nothing of size N x keys is stored. Runs on
/// active_isa(kF32) and thread_budget() threads; the result doesn't depend on the thread count.
/// Throws kInvalidArgument if there is no key at all or a size is not positive.
void attention(const AttentionShape& shape,
               const float* q,
               std::span<const KeySegment> segments,
               float scale,
               float* out);

/// As above with q, keys, values and probabilities rounded to bf16, and sums in f32.
void attention(const AttentionShape& shape,
               const float* q,
               std::span<const KeySegmentBf16> segments,
               float scale,
               float* out);

/// The definition in double precision, one query at a time: what the others are compared with.
void attention_reference(const AttentionShape& shape,
                         const float* q,
                         std::span<const KeySegment> segments,
                         float scale,
                         float* out);

}  // namespace voxloom::kernels
