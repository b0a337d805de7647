#pragma once

#include <utility>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::sam2 {

/// Multi-head attention with a narrower inner width. Keys: q_proj, k_proj, v_proj, out_proj.
class DecoderAttentionImpl : public torch::nn::Module {
 public:
  DecoderAttentionImpl(int64_t width, int64_t inner, int64_t heads);
  /// q [B, N, C], k and v [B, M, C] -> [B, N, C].
  at::Tensor forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

  nn::Linear q_proj{nullptr}, k_proj{nullptr}, v_proj{nullptr}, out_proj{nullptr};

 private:
  int64_t heads_;
};
TORCH_MODULE(DecoderAttention);

/// Tokens and image tokens attend to each other. Keys: self_attn, norm1,
/// cross_attn_token_to_image, norm2, mlp, norm3, norm4, cross_attn_image_to_token.
class TwoWayLayerImpl : public torch::nn::Module {
 public:
  /// The first layer's self-attention has neither positions nor a residual.
  TwoWayLayerImpl(const Sam2Options& options, bool first);
  /// queries [B, T, C], keys [B, N, C] and the positions of both -> queries, keys.
  std::pair<at::Tensor, at::Tensor> forward(at::Tensor queries,
                                            at::Tensor keys,
                                            const at::Tensor& query_pe,
                                            const at::Tensor& key_pe);

  DecoderAttention self_attn{nullptr}, cross_attn_token_to_image{nullptr},
      cross_attn_image_to_token{nullptr};
  nn::LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr}, norm4{nullptr};
  nn::Mlp mlp{nullptr};

 private:
  bool first_;
};
TORCH_MODULE(TwoWayLayer);

/// forward: image [B, C, g, g], its position [1, C, g, g], tokens [B, T, C] -> tokens [B, T, C],
/// image tokens [B, g^2, C]. Keys: layers, final_attn_token_to_image, norm_final_attn.
class TwoWayTransformerImpl : public torch::nn::Module {
 public:
  explicit TwoWayTransformerImpl(const Sam2Options& options);
  std::pair<at::Tensor, at::Tensor> forward(const at::Tensor& image,
                                            const at::Tensor& position,
                                            const at::Tensor& tokens);

  torch::nn::ModuleList layers{nullptr};
  DecoderAttention final_attn_token_to_image{nullptr};
  nn::LayerNorm norm_final_attn{nullptr};

 private:
  std::vector<TwoWayLayer> list_;
};
TORCH_MODULE(TwoWayTransformer);

}  // namespace voxloom::models::sam2
