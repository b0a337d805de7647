#include "voxloom/train/weight_histograms.h"

#include <span>

namespace voxloom::train {

void write_weight_histograms(const torch::nn::Module& network, EventWriter& events, int64_t step) {
  for (const auto& item : network.named_parameters()) {
    const at::Tensor values = item.value().detach().to(at::kCPU, at::kFloat).contiguous();
    events.histogram("weights/" + item.key(),
                     std::span(values.const_data_ptr<float>(), static_cast<size_t>(values.numel())),
                     step);
  }
}

}  // namespace voxloom::train
