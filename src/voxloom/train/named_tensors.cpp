#include "voxloom/train/named_tensors.h"

namespace voxloom::train {

NamedTensors named_tensors(const torch::nn::Module& network) {
  NamedTensors list;
  for (const auto& item : network.named_parameters()) list.emplace_back(item.key(), item.value());
  for (const auto& item : network.named_buffers()) list.emplace_back(item.key(), item.value());
  return list;
}

}  // namespace voxloom::train
