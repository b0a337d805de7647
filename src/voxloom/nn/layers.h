#pragma once

#include <vector>

#include <torch/torch.h>

namespace voxloom::nn {

// Plain layers with the key names of PyTorch's. Unlike libtorch's own, construction draws no
// random numbers (libtorch spends 0.2 s on 39 M of them before a checkpoint replaces them all):
// weights are undefined until load_state_dict() or initialise().

/// y = x W^T + b. forward: x [..., in] -> [..., out]. Keys: weight, bias.
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(int64_t in, int64_t out, bool with_bias = true);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;
};
TORCH_MODULE(Linear);

struct ConvOptions {
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t groups = 1;
  bool bias = true;
};

/// forward: x [B, in, H, W] -> [B, out, H', W']. Keys: weight, bias.
class Conv2dImpl : public torch::nn::Module {
 public:
  Conv2dImpl(int64_t in, int64_t out, const ConvOptions& options);
  at::Tensor forward(const at::Tensor& x);

  const ConvOptions options;
  at::Tensor weight, bias;
};
TORCH_MODULE(Conv2d);

/// Transposed convolution with kernel = stride. forward: x [B, in, H, W] -> [B, out, kH, kW].
class Upscale2dImpl : public torch::nn::Module {
 public:
  Upscale2dImpl(int64_t in, int64_t out, int64_t kernel);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;

 private:
  int64_t kernel_;
};
TORCH_MODULE(Upscale2d);

/// Over the last axis. forward: x [..., C] -> [..., C]. Keys: weight, bias.
class LayerNormImpl : public torch::nn::Module {
 public:
  LayerNormImpl(int64_t channels, double eps);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;

 private:
  double eps_;
};
TORCH_MODULE(LayerNorm);

/// Over the channels of each pixel, eps 1e-6. forward: x [B, C, H, W] -> [B, C, H, W].
class LayerNorm2dImpl : public torch::nn::Module {
 public:
  explicit LayerNorm2dImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);

  at::Tensor weight, bias;
};
TORCH_MODULE(LayerNorm2d);

/// A table of learned rows. Key: weight [rows, C].
class EmbeddingImpl : public torch::nn::Module {
 public:
  EmbeddingImpl(int64_t rows, int64_t channels);

  at::Tensor weight;
};
TORCH_MODULE(Embedding);

enum class Activation { kRelu, kGelu };

/// Linear layers with the activation between them, none after the last.
/// forward: x [..., widths.front()] -> [..., widths.back()]. Keys: layers.0, layers.1, ...
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(const std::vector<int64_t>& widths, Activation activation);
  at::Tensor forward(at::Tensor x);

  torch::nn::ModuleList layers{nullptr};

 private:
  std::vector<Linear> list_;
  Activation activation_;
};
TORCH_MODULE(Mlp);

/// GELU with the exact error function.
class GeluImpl : public torch::nn::Module {
 public:
  at::Tensor forward(const at::Tensor& x) { return at::gelu(x); }
};
TORCH_MODULE(Gelu);

/// PyTorch's default start values (uniform within 1/sqrt(fan in)) for all Linear, Conv2d and
/// Upscale2d below `module`; Embedding standard normal. Other parameters are left alone.
void initialise(torch::nn::Module& module, at::Generator generator);

}  // namespace voxloom::nn
