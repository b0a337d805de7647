#pragma once

#include <cstdint>

#include <torch/torch.h>

#include "voxloom/train/named_tensors.h"

namespace voxloom::train {

/// Exponential moving average of a network's weights and floating-point buffers (of its batch
/// statistics too); other buffers are those of the last step.
///
/// After update x: average = d average + (1 - d) weight, d = decay (1 - exp(-x / 2000)), so that a
/// short run is not held back by its random start.
class AveragedWeights {
 public:
  /// Begins with the present weights.
  AveragedWeights(const torch::nn::Module& network, double decay);

  /// d of update `x` (from 1).
  [[nodiscard]] static double decay_at(double decay, int64_t x);
  void update();

  /// Exchanges the network's values and the averages; twice is back.
  void swap();

  [[nodiscard]] int64_t updates() const { return updates_; }
  void set_updates(int64_t updates) { updates_ = updates; }
  /// Names as in the network.
  [[nodiscard]] const NamedTensors& averages() const { return averages_; }

 private:
  NamedTensors live_, averages_;
  double decay_;
  int64_t updates_ = 0;
};

/// The averages are in the network while this lives.
class AveragedScope {
 public:
  /// Null: does nothing.
  explicit AveragedScope(AveragedWeights* averaged) : averaged_(averaged) {
    if (averaged_ != nullptr) averaged_->swap();
  }
  ~AveragedScope() {
    if (averaged_ != nullptr) averaged_->swap();
  }
  AveragedScope(const AveragedScope&) = delete;
  AveragedScope& operator=(const AveragedScope&) = delete;

 private:
  AveragedWeights* averaged_;
};

}  // namespace voxloom::train
