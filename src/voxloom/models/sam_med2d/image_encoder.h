#pragma once

#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/hiera.h"
#include "voxloom/models/sam_med2d/options.h"
#include "voxloom/nn/layers.h"
#include "voxloom/nn/seq.h"

namespace voxloom::models::sam_med2d {

/// SAM 1's names for the two layers of an Mlp: lin1 and lin2 in place of layers.0 and layers.1.
void name_as_lin(nn::Mlp& mlp);

/// Transposed convolution without a bias that doubles a map: kernel 4, stride 2, padding 1.
/// forward: x [B, C, H, W] -> [B, C, 2H, 2W]. Key: weight [C, C, 4, 4].
class DoubleMapImpl : public torch::nn::Module {
 public:
  explicit DoubleMapImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight;
};
TORCH_MODULE(DoubleMap);

/// SAM-Med2D's adapter: a gate per channel, then a step down and up in space, added to the input
/// and normalised. forward: x [B, H, W, C], H and W even -> the same shape. Keys: norm, channel.0,
/// channel.2, spatial.0, spatial.2.
class AdapterImpl : public torch::nn::Module {
 public:
  explicit AdapterImpl(const SamMed2dOptions& options);
  at::Tensor forward(const at::Tensor& x);

  nn::LayerNorm norm{nullptr};
  nn::Seq channel{nullptr}, spatial{nullptr};
};
TORCH_MODULE(Adapter);

/// Multi-head attention with relative positions along both axes (Li et al. 2022, MViTv2,
/// arXiv:2112.01526, section 4.1), inside windows or over the whole map. Padded tokens take part,
/// as in the original. Keys: rel_pos_h, rel_pos_w, qkv, proj.
class RelativeAttentionImpl : public torch::nn::Module {
 public:
  /// `window` 0: the whole map of `grid` x `grid` tokens.
  RelativeAttentionImpl(int64_t channels, int64_t heads, int64_t grid, int64_t window);
  /// x [B, H, W, C] -> the same shape.
  at::Tensor forward(const at::Tensor& x);

  at::Tensor rel_pos_h, rel_pos_w;  ///< [2 edge - 1, C / heads]
  nn::Linear qkv{nullptr}, proj{nullptr};

 private:
  int64_t heads_, window_;
};
TORCH_MODULE(RelativeAttention);

/// forward: x [B, H, W, C] -> the same shape. Keys: norm1, attn, norm2, mlp, Adapter.
class BlockImpl : public torch::nn::Module {
 public:
  BlockImpl(const SamMed2dOptions& options, int64_t index);
  at::Tensor forward(const at::Tensor& x);

  nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  RelativeAttention attn{nullptr};
  nn::Mlp mlp{nullptr};
  Adapter adapter{nullptr};  ///< Key: Adapter, with the capital of the original.
};
TORCH_MODULE(Block);

/// SAM's image encoder with adapters. forward: image [B, 3, S, S], normalised -> [B, C, g, g].
/// Keys: pos_embed, patch_embed, blocks, neck.
class ImageEncoderImpl : public torch::nn::Module {
 public:
  explicit ImageEncoderImpl(const SamMed2dOptions& options);
  at::Tensor forward(const at::Tensor& image);

  at::Tensor pos_embed;  ///< [1, g, g, embed_dim]
  sam2::PatchEmbed patch_embed{nullptr};
  torch::nn::ModuleList blocks{nullptr};
  nn::Seq neck{nullptr};

 private:
  std::vector<Block> list_;
};
TORCH_MODULE(ImageEncoder);

}  // namespace voxloom::models::sam_med2d
