#pragma once

#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/hiera.h"

namespace voxloom::models::sam2 {

/// Plain transformer trunk of EfficientTAM. forward: image [B, 3, S, S] -> one map, stride 16.
class VitImpl : public TrunkImpl {
 public:
  explicit VitImpl(const VitOptions& options);
  std::vector<at::Tensor> forward(const at::Tensor& image) override;

  const VitOptions options;
  at::Tensor pos_embed;  ///< [1, 1 + g^2, C]; row 0 belongs to a token that is not used.
  PatchEmbed patch_embed{nullptr};
  torch::nn::ModuleList blocks{nullptr};

 private:
  at::Tensor position(int64_t height, int64_t width);

  std::vector<TransformerBlock> list_;
  nn::ConstantCache cache_;
};
TORCH_MODULE(Vit);

/// Keys: conv_1x1.weight, norm_0, conv_3x3.weight, norm_1.
class VitNeckLevelImpl : public torch::nn::Module {
 public:
  VitNeckLevelImpl(int64_t in, int64_t out);
  /// x [B, in, H, W] -> [B, out, H, W].
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d conv_1x1{nullptr}, conv_3x3{nullptr};
  nn::LayerNorm2d norm_0{nullptr}, norm_1{nullptr};
};
TORCH_MODULE(VitNeckLevel);

/// Single-level neck. forward: {map} -> {map with d_model channels}.
class VitNeckImpl : public NeckImpl {
 public:
  VitNeckImpl(int64_t width, int64_t d_model);
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& maps) override;

  torch::nn::ModuleList convs{nullptr};

 private:
  VitNeckLevel level_{nullptr};
};
TORCH_MODULE(VitNeck);

}  // namespace voxloom::models::sam2
