#pragma once

#include <vector>

#include "voxloom/kernels/linear.h"
#include "voxloom/kernels/memory_attention.h"

// How MemoryAttention keeps its weights; not for other layers.
namespace voxloom::kernels {

/// A copy of a norm's parameters.
struct PackedNorm {
  PackedNorm() = default;
  PackedNorm(const NormWeights& w, int64_t width)
      : weight(w.weight, w.weight + width), bias(w.bias, w.bias + width) {}

  std::vector<float> weight;
  std::vector<float> bias;
};

/// One layer, folded and packed.
struct PackedLayer {
  PackedNorm norm1, norm2, norm3;
  PackedLinear self_q, self_k;
  PackedLinear self_value;  ///< self_out after self_v
  PackedLinear cross_q;
  PackedLinear cross_key;    ///< Always f32: it runs once per memory and feeds every later frame
  PackedLinear cross_value;  ///< cross_out after cross_v, from Cm channels
  PackedLinear linear1, linear2;
  std::vector<float> temporal_key;  ///< W_k t per temporal row: [temporal_rows, C]
};

/// Throws kInvalidArgument for sizes or null pointers that make no sense.
void check_memory_attention(const MemoryAttentionShape& shape,
                            const MemoryAttentionWeights& weights);

/// Folds and packs all layers; the weights must have passed check_memory_attention().
[[nodiscard]] std::vector<PackedLayer> pack_layers(const MemoryAttentionShape& shape,
                                                   const MemoryAttentionWeights& weights,
                                                   Precision precision);

}  // namespace voxloom::kernels
