#include "voxloom/models/sam2/memory_encoder.h"

namespace voxloom::models::sam2 {

MaskDownsamplerImpl::MaskDownsamplerImpl(int64_t channels) {
  nn::Seq layers;
  int64_t width = 1;
  for (int level = 0; level < 4; ++level) {
    layers->push_back(
        nn::Conv2d(width, 4 * width, nn::ConvOptions{.kernel = 3, .stride = 2, .padding = 1}));
    width *= 4;
    layers->push_back(nn::LayerNorm2d(width));
    layers->push_back(nn::Gelu());
  }
  layers->push_back(nn::Conv2d(width, channels, nn::ConvOptions{}));
  encoder = register_module("encoder", layers);
}

at::Tensor MaskDownsamplerImpl::forward(const at::Tensor& mask) {
  return encoder(mask);
}

FuserBlockImpl::FuserBlockImpl(int64_t channels) {
  dwconv = register_module(
      "dwconv",
      nn::Conv2d(
          channels, channels, nn::ConvOptions{.kernel = 7, .padding = 3, .groups = channels}));
  norm = register_module("norm", nn::LayerNorm2d(channels));
  pwconv1 = register_module("pwconv1", nn::Linear(channels, 4 * channels));
  pwconv2 = register_module("pwconv2", nn::Linear(4 * channels, channels));
  gamma = register_parameter("gamma", torch::full({channels}, 1e-6));
}

at::Tensor FuserBlockImpl::forward(const at::Tensor& x) {
  const at::Tensor y = norm(dwconv(x)).permute({0, 2, 3, 1});
  return x + (gamma * pwconv2(at::gelu(pwconv1(y)))).permute({0, 3, 1, 2});
}

FuserImpl::FuserImpl(int64_t channels) {
  layers = register_module("layers", torch::nn::ModuleList());
  for (int i = 0; i < 2; ++i) {
    list_.emplace_back(channels);
    layers->push_back(list_.back());
  }
}

at::Tensor FuserImpl::forward(at::Tensor x) {
  for (FuserBlock& block : list_) x = block(x);
  return x;
}

MemoryEncoderImpl::MemoryEncoderImpl(const Sam2Options& options) {
  const int64_t d = options.d_model;
  mask_downsampler = register_module("mask_downsampler", MaskDownsampler(d));
  pix_feat_proj = register_module("pix_feat_proj", nn::Conv2d(d, d, nn::ConvOptions{}));
  fuser = register_module("fuser", Fuser(d));
  out_proj = register_module("out_proj", nn::Conv2d(d, options.memory_dim, nn::ConvOptions{}));
}

at::Tensor MemoryEncoderImpl::forward(const at::Tensor& features, const at::Tensor& mask) {
  return out_proj(fuser(pix_feat_proj(features) + mask_downsampler(mask)));
}

}  // namespace voxloom::models::sam2
