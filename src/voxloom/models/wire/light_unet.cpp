#include "voxloom/models/wire/light_unet.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/models/wire/wire_options.h"
#include "voxloom/models/wire/wire_parts.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::wire {

void LightUnetOptions::visit(OptionList& list) {
  list.option("--in-channels", in_channels, "Channels of the input.").with_range(1, 64);
  list_option(list, "--widths", widths, "Channels at full resolution, 1/2, 1/4, ...");
  list_option(
      list, "--encoder-blocks", encoder_blocks, "Residual convolutions of the encoder per level.");
  list_option(
      list, "--decoder-blocks", decoder_blocks, "Residual convolutions of the decoder per level.");
  list.option("--stem-stride", stem_stride, "2: the finest maps have half the resolution.")
      .with_range(1, 2);
  list.option("--heads", heads, "Deep supervision heads.").with_range(0, 8);
  list.option("--foreground-fraction",
              foreground_fraction,
              "Share of object pixels that the first outputs give.")
      .with_range(1e-6, 0.5);
}

void LightUnetOptions::validate() const {
  const auto positive = [](int64_t width) { return width > 0 && width <= 2048; };
  VOXLOOM_CHECK(
      levels() >= 2 && levels() <= 8 && std::all_of(widths.begin(), widths.end(), positive),
      ErrorCode::kInvalidArgument,
      "light-unet: widths must be 2 to 8 numbers from 1 to 2048, got {}",
      widths);
  VOXLOOM_CHECK(
      encoder_blocks.size() == widths.size() && decoder_blocks.size() + 1 == widths.size(),
      ErrorCode::kInvalidArgument,
      "light-unet: encoder_blocks must have as many numbers as widths {}, decoder_blocks "
      "one less, got {} and {}",
      widths,
      encoder_blocks,
      decoder_blocks);
  VOXLOOM_CHECK(heads < levels() - 1,
                ErrorCode::kInvalidArgument,
                "light-unet: heads must be fewer than the decoder's {} levels, got {}",
                levels() - 1,
                heads);
  VOXLOOM_CHECK(stem_stride == 1 || stem_stride == 2,
                ErrorCode::kInvalidArgument,
                "light-unet: stem_stride must be 1 or 2, got {}",
                stem_stride);
}

LightUnetOptions fine_unet_options() {
  LightUnetOptions options;
  options.widths = {32, 48, 64, 96, 128, 192};
  options.encoder_blocks = {2, 2, 2, 3, 3, 3};
  options.decoder_blocks = {2, 2, 2, 2, 2};
  options.heads = 3;
  return options;
}

LightConvImpl::LightConvImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, bool residual)
    : residual_(residual) {
  conv = register_module(
      "conv",
      nn::Conv2d(in,
                 out,
                 nn::ConvOptions{
                     .kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false}));
  norm = register_module("norm", nn::BatchNorm2d(out));
}

at::Tensor LightConvImpl::forward(const at::Tensor& x) {
  const at::Tensor y = norm(conv(x));
  return at::relu(residual_ ? y + x : y);
}

LightUnet::LightUnet(const LightUnetOptions& options) : options_(options) {
  options_.validate();
  const auto list = [&](const char* name) {
    return register_module(name, torch::nn::ModuleList());
  };
  const auto chain = [](torch::nn::ModuleList parent,
                        std::vector<std::vector<LightConv>>& kept,
                        std::vector<LightConv> units) {
    torch::nn::ModuleList level;
    for (const LightConv& unit : units) level->push_back(unit);
    parent->push_back(level);
    kept.push_back(std::move(units));
  };
  const auto blocks = [](std::vector<LightConv> units, int64_t width, int64_t count) {
    for (int64_t i = 0; i < count; ++i) units.emplace_back(width, width, 3, 1, true);
    return units;
  };
  const auto at = [](int64_t level) { return static_cast<size_t>(level); };
  const auto& widths = options_.widths;

  torch::nn::ModuleList encoder = list("encoder");
  for (int64_t level = 0; level < options_.levels(); ++level) {
    const int64_t in = level == 0 ? options_.in_channels : widths[at(level - 1)];
    const int64_t stride = level == 0 ? options_.stem_stride : 2;
    chain(encoder,
          encoder_,
          blocks({LightConv(in, widths[at(level)], 3, stride, false)},
                 widths[at(level)],
                 options_.encoder_blocks[at(level)]));
  }
  torch::nn::ModuleList lateral = list("lateral"), decoder = list("decoder");
  for (int64_t level = 0; level + 1 < options_.levels(); ++level) {
    const int64_t width = widths[at(level)];
    lateral_.emplace_back(widths[at(level + 1)], width, 1, 1, false);
    lateral->push_back(lateral_.back());
    chain(
        decoder,
        decoder_,
        blocks({LightConv(width, width, 3, 1, false)}, width, options_.decoder_blocks[at(level)]));
  }
  const int64_t logits = options_.stem_stride * options_.stem_stride;
  head_ = register_module("head", nn::Conv2d(widths[0], logits, nn::ConvOptions{}));
  torch::nn::ModuleList heads = list("heads");
  for (int64_t n = 1; n <= options_.heads; ++n) {
    heads_.emplace_back(widths[at(n)], 1, nn::ConvOptions{});
    heads->push_back(heads_.back());
  }
}

int64_t LightUnet::size_multiple() const {
  return options_.stem_stride << (options_.levels() - 1);
}

std::vector<at::Tensor> LightUnet::decode(const at::Tensor& x, int64_t count) {
  check_input("light-unet", x, *this);
  std::vector<at::Tensor> maps;
  at::Tensor y = x;
  for (auto& level : encoder_) {
    for (LightConv& unit : level) y = unit(y);
    maps.push_back(y);
  }
  for (size_t level = decoder_.size(); level-- > 0;) {
    const at::Tensor coarse = lateral_[level](maps[level + 1]);
    y = maps[level] + at::upsample_nearest2d(coarse, maps[level].sizes().slice(2));
    for (LightConv& unit : decoder_[level]) y = unit(y);
    maps[level] = y;
  }
  maps.resize(static_cast<size_t>(count));
  return maps;
}

at::Tensor LightUnet::finest_logits(const at::Tensor& map) {
  const at::Tensor logits = head_(map);
  return options_.stem_stride == 1 ? logits : at::pixel_shuffle(logits, options_.stem_stride);
}

at::Tensor LightUnet::forward(const at::Tensor& x) {
  return finest_logits(decode(x, 1).front());
}

std::vector<at::Tensor> LightUnet::forward_train(const at::Tensor& x) {
  const std::vector<at::Tensor> maps = decode(x, options_.heads + 1);
  std::vector<at::Tensor> logits{finest_logits(maps.front())};
  for (size_t n = 0; n < heads_.size(); ++n) logits.push_back(heads_[n](maps[n + 1]));
  return logits;
}

void LightUnet::initialise(at::Generator generator) {
  initialise_convolutions(*this, generator);
  initialise_head(*head_, options_.foreground_fraction, generator);
  double fraction = options_.foreground_fraction;
  for (nn::Conv2d& head : heads_) {
    // A thin object fills twice the share of a map with half the resolution.
    fraction = std::min(0.5, 2.0 * fraction);
    initialise_head(*head, fraction, generator);
  }
}

}  // namespace voxloom::models::wire
