#include "voxloom/models/wire/fga_net.h"

#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/models/wire/wire_parts.h"

namespace voxloom::models::wire {

void FgaNetOptions::visit(OptionList& list) {
  list.option("--in-channels", in_channels, "Channels of the input.").with_range(1, 64);
  list.option("--width", width, "Channels at full resolution.").with_range(8, 128);
  list.option("--dropout", dropout, "Share of values dropped in training.").with_range(0.0, 0.9);
  list.option("--heads", heads, "Deep supervision heads.");
  list.option("--foreground-fraction",
              foreground_fraction,
              "Share of object pixels that the first outputs give.")
      .with_range(1e-6, 0.5);
}

void FgaNetOptions::validate() const {
  VOXLOOM_CHECK(width >= 8 && width % 8 == 0,
                ErrorCode::kInvalidArgument,
                "fga-net: width must be a positive multiple of 8, got {}",
                width);
}

FgaNetOptions fga_light_options() {
  FgaNetOptions options;
  options.in_channels = 1;
  options.width = 16;
  return options;
}

std::vector<int64_t> FgaNet::encoder_widths(int64_t width) {
  return {width, 2 * width, 4 * width, 8 * width, 16 * width, 16 * width};
}

std::vector<int64_t> FgaNet::decoder_widths(int64_t width) {
  return {width, width, 2 * width, 4 * width, 8 * width};
}

FgaNet::FgaNet(const FgaNetOptions& options) : options_(options) {
  options_.validate();
  const std::vector<int64_t> down = encoder_widths(options_.width);
  const std::vector<int64_t> up = decoder_widths(options_.width);
  const auto list = [&](const char* name) {
    return register_module(name, torch::nn::ModuleList());
  };
  torch::nn::ModuleList encoder = list("encoder"), gate = list("gate"), fusion = list("fusion"),
                        decoder_gate = list("decoder_gate"), decoder = list("decoder"),
                        heads = list("heads");
  for (int64_t level = 0; level < kLevels; ++level) {
    const auto at = static_cast<size_t>(level);
    const int64_t in = level == 0 ? options_.in_channels : down[at - 1];
    if (level >= kFirstGate) {
      gate_.emplace_back(in);
      gate->push_back(gate_.back());
    }
    encoder_.emplace_back(in, down[at], down[at], options_.dropout);
    encoder->push_back(encoder_.back());
  }
  for (int64_t level = 0; level + 1 < kLevels; ++level) {
    const auto at = static_cast<size_t>(level);
    // Skip and deeper map have the same width.
    fusion_.emplace_back(down[at]);
    fusion->push_back(fusion_.back());
    if (level >= kDecoderGate) {
      decoder_gate_.emplace_back(2 * down[at]);
      decoder_gate->push_back(decoder_gate_.back());
    }
    decoder_.emplace_back(2 * down[at], down[at], up[at], options_.dropout);
    decoder->push_back(decoder_.back());
  }
  head_ = register_module("head", nn::Conv2d(up[0], 1, nn::ConvOptions{}));
  for (int64_t level = 1; options_.heads && level < kLevels; ++level) {
    const auto at = static_cast<size_t>(level);
    heads_.emplace_back(level + 1 < kLevels ? up[at] : down[at], 1, nn::ConvOptions{});
    heads->push_back(heads_.back());
  }
}

std::vector<at::Tensor> FgaNet::decode(const at::Tensor& x) {
  check_input("fga-net", x, *this);
  std::vector<at::Tensor> maps;
  at::Tensor y = x;
  for (size_t level = 0; level < encoder_.size(); ++level) {
    if (level > 0) y = at::max_pool2d(y, {2, 2});
    if (level >= kFirstGate) y = gate_[level - kFirstGate](y);
    y = encoder_[level](y);
    maps.push_back(y);
  }
  for (size_t level = decoder_.size(); level-- > 0;) {
    const at::Tensor& deep = maps[level + 1];
    const at::Tensor up = at::upsample_bilinear2d(deep, {2 * deep.size(2), 2 * deep.size(3)}, true);
    y = at::cat({fusion_[level](maps[level], deep), up}, 1);
    if (level >= kDecoderGate) y = decoder_gate_[level - kDecoderGate](y);
    maps[level] = decoder_[level](y);
  }
  return maps;
}

at::Tensor FgaNet::forward(const at::Tensor& x) {
  return head_(decode(x).front());
}

std::vector<at::Tensor> FgaNet::forward_train(const at::Tensor& x) {
  const std::vector<at::Tensor> maps = decode(x);
  std::vector<at::Tensor> logits{head_(maps.front())};
  for (size_t n = 0; n < heads_.size(); ++n) logits.push_back(heads_[n](maps[n + 1]));
  return logits;
}

void FgaNet::initialise(at::Generator generator) {
  const torch::NoGradGuard no_grad;
  initialise_convolutions(*this, generator);
  for (auto* gates : {&gate_, &decoder_gate_}) {
    for (ShiftAttention& gate : *gates) {
      const auto fan_in = static_cast<double>(gate->deform->weight[0].numel());
      gate->deform->weight.normal_(0.0, std::sqrt(2.0 / fan_in), generator);
      gate->deform->bias.zero_();
      // Every tap begins at its own place.
      gate->offset->weight.zero_();
    }
  }
  initialise_head(*head_, options_.foreground_fraction, generator);
  for (nn::Conv2d& head : heads_) {
    initialise_head(*head, options_.foreground_fraction, generator);
  }
}

}  // namespace voxloom::models::wire
