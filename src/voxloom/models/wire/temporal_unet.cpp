#include "voxloom/models/wire/temporal_unet.h"

#include "voxloom/core/error.h"
#include "voxloom/models/wire/wire_parts.h"

namespace voxloom::models::wire {

void TemporalUnetOptions::visit(OptionList& list) {
  list.option("--frames", frames, "Frames of the input, the current one first.").with_range(1, 16);
  list.option("--levels", levels, "Resolutions.").with_range(2, 8);
  list.option("--width", width, "Channels at full resolution, doubled at each level.")
      .with_range(1, 64);
  list.option("--dropout", dropout, "Share of values dropped in the two deepest levels.")
      .with_range(0.0, 0.9);
  list.option("--noise", noise, "Standard deviation of the noise added to the input in training.")
      .with_range(0.0, 10.0);
  list.option("--foreground-fraction",
              foreground_fraction,
              "Share of object pixels that the first outputs give.")
      .with_range(1e-6, 0.5);
}

void TemporalUnetOptions::validate() const {
  VOXLOOM_CHECK(
      levels >= 2 && levels <= 8 && width >= 1 && frames >= 1,
      ErrorCode::kInvalidArgument,
      "temporal-unet: levels must be 2 to 8, width and frames positive, got {}, {} and {}",
      levels,
      width,
      frames);
}

TemporalUnet::TemporalUnet(const TemporalUnetOptions& options) : options_(options) {
  options_.validate();
  const auto list = [&](const char* name) {
    return register_module(name, torch::nn::ModuleList());
  };
  const auto channels = [&](int64_t level) { return options_.width << level; };
  stem_ = register_module("stem", ConvUnit(options_.frames, channels(0), 3, 1, 0.0));
  torch::nn::ModuleList encoder = list("encoder"), down = list("down");
  for (int64_t level = 0; level < options_.levels; ++level) {
    if (level > 0) {
      down_.emplace_back(
          channels(level - 1), channels(level), nn::ConvOptions{.kernel = 2, .stride = 2});
      down->push_back(down_.back());
    }
    encoder_.emplace_back(channels(level), channels(level), 0.0);
    encoder->push_back(encoder_.back());
  }
  torch::nn::ModuleList up = list("up"), decoder = list("decoder");
  for (int64_t level = 0; level + 1 < options_.levels; ++level) {
    up_.emplace_back(channels(level + 1), channels(level), nn::ConvOptions{.kernel = 2});
    up->push_back(up_.back());
    decoder_.emplace_back(2 * channels(level), channels(level), 0.0);
    decoder->push_back(decoder_.back());
  }
  head_ = register_module("head", nn::Conv2d(channels(0), 1, nn::ConvOptions{}));
}

at::Tensor TemporalUnet::drop(const at::Tensor& x, size_t level) const {
  const bool deep = level + 2 >= encoder_.size();
  return deep ? at::dropout(x, options_.dropout, is_training()) : x;
}

at::Tensor TemporalUnet::forward(const at::Tensor& x) {
  check_input("temporal-unet", x, *this);
  at::Tensor y = x;
  if (is_training() && options_.noise > 0.0) y = y + options_.noise * torch::randn_like(y);
  y = stem_(y);
  std::vector<at::Tensor> maps;
  for (size_t level = 0; level < encoder_.size(); ++level) {
    if (level > 0) y = at::relu(down_[level - 1](y));
    y = drop(encoder_[level](y), level);
    maps.push_back(y);
  }
  for (size_t level = decoder_.size(); level-- > 0;) {
    const at::Tensor wide = at::upsample_nearest2d(y, maps[level].sizes().slice(2));
    // An even kernel keeps the size with one row and column of zeros after the end.
    const at::Tensor up = at::relu(up_[level](at::constant_pad_nd(wide, {0, 1, 0, 1})));
    y = decoder_[level](at::cat({maps[level], up}, 1));
  }
  return head_(y);
}

void TemporalUnet::initialise(at::Generator generator) {
  initialise_convolutions(*this, generator);
  initialise_head(*head_, options_.foreground_fraction, generator);
}

}  // namespace voxloom::models::wire
