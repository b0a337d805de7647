#pragma once

#include <memory>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/models/sam2/position.h"
#include "voxloom/nn/constant_cache.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::sam2 {

/// Single-head attention whose queries and keys carry the rotary encoding of their grid cell.
/// Keys: q_proj, k_proj, v_proj, out_proj.
class RopeAttentionImpl : public torch::nn::Module {
 public:
  RopeAttentionImpl(int64_t width, int64_t key_width);
  /// q [B, N, C], k and v [B, M, key_width] -> [B, N, C]. `table` has N rows; it is repeated over
  /// the keys, of which the last `unrotated` (object pointers) stay as they are.
  at::Tensor forward(const at::Tensor& q,
                     const at::Tensor& k,
                     const at::Tensor& v,
                     const RopeTable& table,
                     int64_t unrotated);

  nn::Linear q_proj{nullptr}, k_proj{nullptr}, v_proj{nullptr}, out_proj{nullptr};
};
TORCH_MODULE(RopeAttention);

/// Pre-norm layer: self-attention, attention over the memory, feed-forward.
/// Keys: self_attn, cross_attn_image, linear1, linear2, norm1, norm2, norm3.
class MemoryAttentionLayerImpl : public torch::nn::Module {
 public:
  explicit MemoryAttentionLayerImpl(const Sam2Options& options);
  at::Tensor forward(at::Tensor x,
                     const at::Tensor& memory,
                     const at::Tensor& memory_position,
                     const RopeTable& table,
                     int64_t pointer_tokens);

  RopeAttention self_attn{nullptr}, cross_attn_image{nullptr};
  nn::Linear linear1{nullptr}, linear2{nullptr};
  nn::LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr};
};
TORCH_MODULE(MemoryAttentionLayer);

/// Conditions a slice's features on memory (Ravi et al. 2024, section 4). Keys: layers, norm.
/// This is the reference; inference may use another MemoryBackend with the same result.
class MemoryAttentionImpl : public torch::nn::Module {
 public:
  explicit MemoryAttentionImpl(const Sam2Options& options);

  /// x [B, N, C] with its position [N, C] (added with weight 0.1), memory and its position
  /// [B, M, Cm], the last `pointer_tokens` of M being object pointers -> [B, N, C].
  /// N is a square grid; M - pointer_tokens a multiple of N.
  at::Tensor forward(const at::Tensor& x,
                     const at::Tensor& x_position,
                     const at::Tensor& memory,
                     const at::Tensor& memory_position,
                     int64_t pointer_tokens);

  torch::nn::ModuleList layers{nullptr};
  nn::LayerNorm norm{nullptr};

  [[nodiscard]] const std::vector<MemoryAttentionLayer>& layer_list() const { return list_; }

 private:
  RopeTable table(int64_t grid, const at::Tensor& like);

  int64_t d_model_;
  double theta_;
  std::vector<MemoryAttentionLayer> list_;
  nn::ConstantCache cache_;
};
TORCH_MODULE(MemoryAttention);

}  // namespace voxloom::models::sam2
