#pragma once

#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/nn/layers.h"
#include "voxloom/nn/seq.h"

namespace voxloom::models::sam2 {

/// Mask [B, 1, S, S] -> [B, C, S / 16, S / 16]. Key: encoder.
class MaskDownsamplerImpl : public torch::nn::Module {
 public:
  explicit MaskDownsamplerImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& mask);

  nn::Seq encoder{nullptr};
};
TORCH_MODULE(MaskDownsampler);

/// ConvNeXt block (Liu et al. 2022, arXiv:2201.03545). x [B, C, H, W] -> the same shape.
/// Keys: dwconv, norm, pwconv1, pwconv2, gamma.
class FuserBlockImpl : public torch::nn::Module {
 public:
  explicit FuserBlockImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d dwconv{nullptr};
  nn::LayerNorm2d norm{nullptr};
  nn::Linear pwconv1{nullptr}, pwconv2{nullptr};
  at::Tensor gamma;
};
TORCH_MODULE(FuserBlock);

/// Key: layers.
class FuserImpl : public torch::nn::Module {
 public:
  explicit FuserImpl(int64_t channels);
  at::Tensor forward(at::Tensor x);

  torch::nn::ModuleList layers{nullptr};

 private:
  std::vector<FuserBlock> list_;
};
TORCH_MODULE(Fuser);

/// Fuses a slice's features with its mask into a memory map.
/// Keys: mask_downsampler, pix_feat_proj, fuser, out_proj.
class MemoryEncoderImpl : public torch::nn::Module {
 public:
  explicit MemoryEncoderImpl(const Sam2Options& options);
  /// features [B, C, g, g] (without memory) and mask [B, 1, 16g, 16g], already scaled ->
  /// [B, memory_dim, g, g].
  at::Tensor forward(const at::Tensor& features, const at::Tensor& mask);

  MaskDownsampler mask_downsampler{nullptr};
  nn::Conv2d pix_feat_proj{nullptr}, out_proj{nullptr};
  Fuser fuser{nullptr};
};
TORCH_MODULE(MemoryEncoder);

}  // namespace voxloom::models::sam2
