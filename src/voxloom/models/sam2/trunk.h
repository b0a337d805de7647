#pragma once

#include <vector>

#include <torch/torch.h>

namespace voxloom::models::sam2 {

/// An image backbone. forward: image [B, 3, S, S] (normalised) -> feature maps NCHW, high to
/// low resolution.
class TrunkImpl : public torch::nn::Module {
 public:
  virtual std::vector<at::Tensor> forward(const at::Tensor& image) = 0;
};

/// Brings a trunk's maps to d_model channels. forward: maps, high to low resolution -> the maps
/// that the network uses, high to low resolution; the last one has stride 16.
class NeckImpl : public torch::nn::Module {
 public:
  virtual std::vector<at::Tensor> forward(const std::vector<at::Tensor>& maps) = 0;
};

}  // namespace voxloom::models::sam2
