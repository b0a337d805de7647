#pragma once

#include <torch/torch.h>

#include "voxloom/train/trainer_options.h"

namespace voxloom::train {

/// Mixed precision of the forward pass on `device` while this lives (guidewire.md 9.4). The casts
/// of the weights are kept for as long, so one scope covers one batch.
class AutocastScope {
 public:
  AutocastScope(c10::DeviceType device, Amp amp);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  c10::DeviceType device_;
  bool before_;
  at::ScalarType dtype_before_;
};

}  // namespace voxloom::train
