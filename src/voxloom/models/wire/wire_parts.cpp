#include "voxloom/models/wire/wire_parts.h"

#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::wire {

void check_input(const char* where, const at::Tensor& x, const WireNetwork& network) {
  const int64_t multiple = network.size_multiple();
  VOXLOOM_CHECK(x.dim() == 4 && x.size(1) == network.in_channels() && x.size(2) > 0 &&
                    x.size(3) > 0 && x.size(2) % multiple == 0 && x.size(3) % multiple == 0,
                ErrorCode::kInvalidArgument,
                "{}: input must be [B, {}, H, W] with H and W multiples of {}, got {}",
                where,
                network.in_channels(),
                multiple,
                tensor::shape_str(x));
}

void initialise_convolutions(torch::nn::Module& module, at::Generator generator) {
  const torch::NoGradGuard no_grad;
  const auto fill = [&](at::Tensor weight, at::Tensor bias, int64_t fan_in) {
    weight.normal_(0.0, std::sqrt(2.0 / static_cast<double>(fan_in)), generator);
    if (bias.defined()) bias.zero_();
  };
  for (const auto& part : module.modules()) {
    if (auto* conv = part->as<nn::Conv2dImpl>()) {
      fill(conv->weight, conv->bias, conv->weight[0].numel());
    } else if (auto* up = part->as<nn::Upscale2dImpl>()) {
      fill(up->weight, up->bias, up->weight.size(0));
    }
  }
}

void initialise_head(nn::Conv2dImpl& head, double foreground_fraction, at::Generator generator) {
  const torch::NoGradGuard no_grad;
  head.weight.normal_(0.0, 0.01, generator);
  head.bias.fill_(std::log(foreground_fraction / (1.0 - foreground_fraction)));
}

}  // namespace voxloom::models::wire
