#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "voxloom/kernels/isa.h"

namespace voxloom::kernels {

/// Sizes of a SAM 2 memory attention stack.
struct MemoryAttentionShape {
  int64_t channels = 256;          ///< C, width of the image tokens. A multiple of 4.
  int64_t memory_channels = 64;    ///< Cm, width of memory and pointer tokens.
  int64_t hidden_channels = 2048;  ///< Width of the feed-forward block.
  int64_t grid_height = 32;        ///< Rows of tokens; N = grid_height * grid_width.
  int64_t grid_width = 32;         ///< Tokens in a row; token n is at (n % width, n / width).
  int64_t temporal_rows = 7;       ///< Rows of the temporal table.
  float norm_epsilon = 1e-5F;
  double rope_theta = 10000.0;
};

/// y = x weight^T + bias; weight [out, in] row-major, bias [out].
struct LinearWeights {
  const float* weight = nullptr;
  const float* bias = nullptr;
};

/// Scale and shift of a layer norm, [channels] each.
struct NormWeights {
  const float* weight = nullptr;
  const float* bias = nullptr;
};

/// One layer, in the checkpoint's words (memory_attention.layers.L.*).
struct MemoryAttentionLayerWeights {
  LinearWeights self_q, self_k, self_v, self_out;  ///< [C, C]
  LinearWeights cross_q, cross_out;                ///< [C, C]
  LinearWeights cross_k, cross_v;                  ///< [C, Cm]
  LinearWeights linear1;                           ///< [hidden, C]
  LinearWeights linear2;                           ///< [C, hidden]
  NormWeights norm1, norm2, norm3;
};

struct MemoryAttentionWeights {
  std::vector<MemoryAttentionLayerWeights> layers;
  NormWeights norm;                 ///< The last norm, after all layers.
  const float* temporal = nullptr;  ///< maskmem_tpos_enc as [temporal_rows, Cm].
};

/// What the attention keeps of one encoded memory map: per layer the projected keys, and the
/// map itself as values. Made by MemoryAttention::encode once per memory, immutable, then read
/// by every later frame and by both directions. Independent of the weights' lifetime.
/// At 32x32 and four layers: 4.25 MiB (f32) or 4.13 (bf16).
class MemoryKeys {
 public:
  MemoryKeys();
  ~MemoryKeys();
  MemoryKeys(const MemoryKeys&) = delete;
  MemoryKeys& operator=(const MemoryKeys&) = delete;

  [[nodiscard]] int64_t rows() const;   ///< Tokens of the map.
  [[nodiscard]] int64_t bytes() const;  ///< Memory held.

 private:
  friend class MemoryAttention;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A memory map as read by one frame.
struct MemoryRead {
  const MemoryKeys* keys = nullptr;
  int64_t temporal_row = 0;  ///< Row of the temporal table: t_rel - 1, or the last for key slices.
};

/// Object pointer tokens: rows [rows, Cm] and their positions [rows, Cm]; not rotated.
/// `rows` may be 0 (pointers then null): four tokens per object pointer otherwise.
struct PointerTokens {
  const float* tokens = nullptr;
  const float* positions = nullptr;
  int64_t rows = 0;
};

/// The memory attention stack of SAM 2 (Ravi et al. 2024, arXiv:2408.00714, section 4; reference
/// file sam2/modeling/memory_attention.py) for one object, on the CPU.
///
/// Equal to the plain formulas up to rounding, but cheaper, because several maps are linear:
///  - softmax(.) (W_v m + b_v) = W_v (softmax(.) m) + b_v: attention sums the Cm memory channels,
///    and W_v is applied once per query, folded with the output projection;
///  - the key R(W_k (m + pos + t) + b_k) splits into u = W_k (m + pos) + b_k, cached per memory
///    and layer, and W_k t, one vector per temporal row. R(u + W_k t) is formed at each read: one
///    pass over the keys, too little to measure beside the products (keeping finished keys for
///    maps with a constant row was tried and gained nothing), where a second score against a
///    rotated table would double the dearest product;
///  - the output projection of self attention is folded into its value projection.
///
/// Thread safe: run and encode may be called at once from several threads.
class MemoryAttention {
 public:
  /// Copies, folds and packs the weights; the pointers are not used afterwards.
  /// Throws kInvalidArgument for sizes or null pointers that make no sense.
  MemoryAttention(const MemoryAttentionShape& shape,
                  const MemoryAttentionWeights& weights,
                  Precision precision);
  ~MemoryAttention();
  MemoryAttention(const MemoryAttention&) = delete;
  MemoryAttention& operator=(const MemoryAttention&) = delete;

  [[nodiscard]] const MemoryAttentionShape& shape() const;
  [[nodiscard]] Precision precision() const;

  /// Prepares one memory map for reading.
  ///
  /// memory [rows, Cm]: the map flattened row-major, rows = grid_height * grid_width.
  /// position [rows, Cm]: its sine position *without* the temporal row.
  [[nodiscard]] std::shared_ptr<const MemoryKeys> encode(const float* memory,
                                                         const float* position) const;

  /// x [N, C] -> out [N, C], N = grid_height * grid_width; out may be x.
  ///
  /// x: image tokens with 0.1 times their sine position already added. Memories and pointers may
  /// come in any order and number, but at least one key in all. Keys must come from this object.
  void run(const float* x,
           std::span<const MemoryRead> memories,
           const PointerTokens& pointers,
           float* out) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A memory map as the plain formulas read it: memory and sine position, both [rows, Cm].
struct RawMemory {
  const float* memory = nullptr;
  const float* position = nullptr;
  int64_t rows = 0;
  int64_t temporal_row = 0;
};

/// The same stack straight from its definition, in double precision, with nothing folded, cached
/// or reordered. Slow (seconds at full size): what run() is compared with.
void memory_attention_reference(const MemoryAttentionShape& shape,
                                const MemoryAttentionWeights& weights,
                                const float* x,
                                std::span<const RawMemory> memories,
                                const PointerTokens& pointers,
                                float* out);

}  // namespace voxloom::kernels
