#pragma once

#include "voxloom/models/wire/wire_network.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::wire {

/// Throws kInvalidArgument unless x is [B, C, H, W] as `network` wants it.
void check_input(const char* where, const at::Tensor& x, const WireNetwork& network);

/// Start values for all Conv2d and Upscale2d below `module`: normal with variance 2 / fan in
/// (He et al. 2015, arXiv:1502.01852), biases 0.
void initialise_convolutions(torch::nn::Module& module, at::Generator generator);

/// A last layer whose first outputs all lie near ln(f / (1 - f)): the loss of a rare object begins
/// low (Lin et al. 2017, arXiv:1708.02002, section 4.1).
void initialise_head(nn::Conv2dImpl& head, double foreground_fraction, at::Generator generator);

}  // namespace voxloom::models::wire
