#include "voxloom/nn/layers.h"

#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::nn {

LinearImpl::LinearImpl(int64_t in, int64_t out, bool with_bias) {
  weight = register_parameter("weight", torch::empty({out, in}));
  if (with_bias) bias = register_parameter("bias", torch::empty({out}));
}

at::Tensor LinearImpl::forward(const at::Tensor& x) {
  return at::linear(x, weight, bias);
}

Conv2dImpl::Conv2dImpl(int64_t in, int64_t out, const ConvOptions& conv_options)
    : options(conv_options) {
  VOXLOOM_CHECK(in % options.groups == 0 && out % options.groups == 0,
                ErrorCode::kInvalidArgument,
                "conv2d: channels must be multiples of the groups {}, got {} and {}",
                options.groups,
                in,
                out);
  weight = register_parameter(
      "weight", torch::empty({out, in / options.groups, options.kernel, options.kernel}));
  if (options.bias) bias = register_parameter("bias", torch::empty({out}));
}

at::Tensor Conv2dImpl::forward(const at::Tensor& x) {
  return at::conv2d(x,
                    weight,
                    bias,
                    {options.stride, options.stride},
                    {options.padding, options.padding},
                    {1, 1},
                    options.groups);
}

Upscale2dImpl::Upscale2dImpl(int64_t in, int64_t out, int64_t kernel) : kernel_(kernel) {
  weight = register_parameter("weight", torch::empty({in, out, kernel, kernel}));
  bias = register_parameter("bias", torch::empty({out}));
}

at::Tensor Upscale2dImpl::forward(const at::Tensor& x) {
  return at::conv_transpose2d(x, weight, bias, {kernel_, kernel_});
}

LayerNormImpl::LayerNormImpl(int64_t channels, double eps) : eps_(eps) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor LayerNormImpl::forward(const at::Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, eps_);
}

LayerNorm2dImpl::LayerNorm2dImpl(int64_t channels) {
  weight = register_parameter("weight", torch::ones({channels}));
  bias = register_parameter("bias", torch::zeros({channels}));
}

at::Tensor LayerNorm2dImpl::forward(const at::Tensor& x) {
  return at::layer_norm(x.permute({0, 2, 3, 1}), {x.size(1)}, weight, bias, 1e-6)
      .permute({0, 3, 1, 2});
}

EmbeddingImpl::EmbeddingImpl(int64_t rows, int64_t channels) {
  weight = register_parameter("weight", torch::empty({rows, channels}));
}

MlpImpl::MlpImpl(const std::vector<int64_t>& widths, Activation activation)
    : activation_(activation) {
  layers = register_module("layers", torch::nn::ModuleList());
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    list_.emplace_back(widths[i], widths[i + 1]);
    layers->push_back(list_.back());
  }
}

at::Tensor MlpImpl::forward(at::Tensor x) {
  for (size_t i = 0; i < list_.size(); ++i) {
    x = list_[i](x);
    if (i + 1 < list_.size()) x = activation_ == Activation::kRelu ? at::relu(x) : at::gelu(x);
  }
  return x;
}

void initialise(torch::nn::Module& module, at::Generator generator) {
  const torch::NoGradGuard no_grad;
  const auto fill = [&](at::Tensor weight, at::Tensor bias, int64_t fan_in) {
    const double bound = 1.0 / std::sqrt(static_cast<double>(std::max<int64_t>(fan_in, 1)));
    weight.uniform_(-bound, bound, generator);
    if (bias.defined()) bias.uniform_(-bound, bound, generator);
  };
  for (const auto& part : module.modules()) {
    if (auto* linear = part->as<LinearImpl>()) {
      fill(linear->weight, linear->bias, linear->weight.size(1));
    } else if (auto* conv = part->as<Conv2dImpl>()) {
      fill(conv->weight, conv->bias, conv->weight[0].numel());
    } else if (auto* up = part->as<Upscale2dImpl>()) {
      fill(up->weight, up->bias, up->weight[0].numel());
    } else if (auto* table = part->as<EmbeddingImpl>()) {
      table->weight.normal_(0.0, 1.0, generator);
    }
  }
}

}  // namespace voxloom::nn
