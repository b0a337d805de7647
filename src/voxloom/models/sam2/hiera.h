#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/models/sam2/trunk.h"
#include "voxloom/nn/constant_cache.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::sam2 {

/// Place of one block in a trunk of transformer blocks.
struct BlockPlan {
  int64_t dim = 0, dim_out = 0;
  int64_t num_heads = 0;
  int64_t window = 0;  ///< Edge of the attention windows on the block's input; 0: whole map.
  bool pool = false;   ///< Queries (and the shortcut) are pooled 2x2.
};

/// Patch embedding: one strided convolution. Key: proj.
class PatchEmbedImpl : public torch::nn::Module {
 public:
  PatchEmbedImpl(int64_t channels, const nn::ConvOptions& options);
  /// image [B, 3, S, S] -> [B, H, W, C].
  at::Tensor forward(const at::Tensor& image);

  nn::Conv2d proj{nullptr};
};
TORCH_MODULE(PatchEmbed);

/// Multi-head attention inside windows, queries pooled where the plan says so.
/// Only real tokens go through the linear layers: padded ones equal the bias of `qkv` and are
/// added for the softmax alone.
class WindowAttentionImpl : public torch::nn::Module {
 public:
  explicit WindowAttentionImpl(const BlockPlan& plan);
  /// x [B, H, W, dim] -> [B, H', W', dim_out].
  at::Tensor forward(const at::Tensor& x);

  nn::Linear qkv{nullptr}, proj{nullptr};

 private:
  BlockPlan plan_;
};
TORCH_MODULE(WindowAttention);

/// Pre-norm transformer block. Keys: norm1, attn, norm2, mlp and, where the width changes, proj.
class TransformerBlockImpl : public torch::nn::Module {
 public:
  explicit TransformerBlockImpl(const BlockPlan& plan);
  /// x [B, H, W, dim] -> [B, H', W', dim_out].
  at::Tensor forward(const at::Tensor& x);

  nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  WindowAttention attn{nullptr};
  nn::Mlp mlp{nullptr};
  nn::Linear proj{nullptr};

 private:
  BlockPlan plan_;
};
TORCH_MODULE(TransformerBlock);

/// The blocks of a hierarchical trunk. The first block of a stage still uses the window of the
/// stage before it.
[[nodiscard]] std::vector<BlockPlan> hiera_plan(const HieraOptions& options);

/// Hierarchical trunk of SAM 2.
/// forward: image [B, 3, S, S] -> 4 maps, strides 4, 8, 16, 32, widths E, 2E, 4E, 8E.
class HieraImpl : public TrunkImpl {
 public:
  explicit HieraImpl(const HieraOptions& options);
  std::vector<at::Tensor> forward(const at::Tensor& image) override;

  const HieraOptions options;
  at::Tensor pos_embed, pos_embed_window;
  PatchEmbed patch_embed{nullptr};
  torch::nn::ModuleList blocks{nullptr};

 private:
  /// [1, H, W, E]: the resized global map plus the tiled window map.
  at::Tensor position(int64_t height, int64_t width);

  std::vector<TransformerBlock> list_;
  nn::ConstantCache cache_;
};
TORCH_MODULE(Hiera);

/// 1x1 convolution with the key name of the neck's entries. Key: conv.
class LateralImpl : public torch::nn::Module {
 public:
  LateralImpl(int64_t in, int64_t out);

  nn::Conv2d conv{nullptr};
};
TORCH_MODULE(Lateral);

/// Feature pyramid: every level gets a 1x1 convolution, stride 16 also the upsampled stride 32,
/// which is then dropped. forward: 4 maps -> 3 maps of d_model channels, strides 4, 8, 16.
class FpnNeckImpl : public NeckImpl {
 public:
  /// `widths`: of the trunk's maps, high to low resolution.
  FpnNeckImpl(const std::vector<int64_t>& widths, int64_t d_model);
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& maps) override;

  torch::nn::ModuleList convs{nullptr};  ///< Entry 0 belongs to the lowest resolution.

 private:
  std::vector<Lateral> list_;
};
TORCH_MODULE(FpnNeck);

}  // namespace voxloom::models::sam2
