#include "voxloom/train/averaged_weights.h"

#include <cmath>

namespace voxloom::train {

AveragedWeights::AveragedWeights(const torch::nn::Module& network, double decay)
    : live_(named_tensors(network)), decay_(decay) {
  for (auto& [name, tensor] : live_) {
    tensor = tensor.detach();  // the same memory, without gradient
    averages_.emplace_back(name, tensor.clone());
  }
}

double AveragedWeights::decay_at(double decay, int64_t x) {
  return decay * (1.0 - std::exp(-static_cast<double>(x) / 2000.0));
}

void AveragedWeights::update() {
  const torch::NoGradGuard no_grad;
  const double d = decay_at(decay_, ++updates_);
  for (size_t i = 0; i < live_.size(); ++i) {
    at::Tensor& average = averages_[i].second;
    if (average.is_floating_point()) {
      average.lerp_(live_[i].second, 1.0 - d);
    } else {
      average.copy_(live_[i].second);
    }
  }
}

void AveragedWeights::swap() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < live_.size(); ++i) {
    const at::Tensor held = live_[i].second.clone();
    live_[i].second.copy_(averages_[i].second);
    averages_[i].second.copy_(held);
  }
}

}  // namespace voxloom::train
