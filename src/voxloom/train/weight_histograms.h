#pragma once

#include <cstdint>

#include <torch/torch.h>

#include "voxloom/train/event_writer.h"

namespace voxloom::train {

/// One histogram for each parameter of the network, under "weights/<name>".
void write_weight_histograms(const torch::nn::Module& network, EventWriter& events, int64_t step);

}  // namespace voxloom::train
