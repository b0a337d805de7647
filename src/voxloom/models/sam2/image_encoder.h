#pragma once

#include <memory>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/models/sam2/trunk.h"

namespace voxloom::models::sam2 {

/// Trunk and neck. Keys: trunk, neck.
/// forward: image [B, 3, S, S] -> maps of d_model channels, high to low resolution: strides 4, 8,
/// 16 (hierarchical trunk) or 16 alone (plain trunk).
class ImageEncoderImpl : public torch::nn::Module {
 public:
  explicit ImageEncoderImpl(const Sam2Options& options);
  std::vector<at::Tensor> forward(const at::Tensor& image);

  std::shared_ptr<TrunkImpl> trunk;
  std::shared_ptr<NeckImpl> neck;
};
TORCH_MODULE(ImageEncoder);

}  // namespace voxloom::models::sam2
