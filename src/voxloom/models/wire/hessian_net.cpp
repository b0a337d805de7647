#include "voxloom/models/wire/hessian_net.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/models/wire/wire_options.h"
#include "voxloom/models/wire/wire_parts.h"

namespace voxloom::models::wire {

namespace {

// Eigenvalues of a wire whose contrast is one standard deviation lie near 0.4.
constexpr double kFirstScale = 0.5;

}  // namespace

void HessianNetOptions::visit(OptionList& list) {
  list_option(list, "--widths", widths, "Channels at full resolution, 1/2, 1/4, ...");
  list_option(list, "--sigmas", sigmas, "Scales of the Hessian layer in px.");
  list.option("--heads", heads, "Deep supervision heads.").with_range(0, 8);
  list.option("--foreground-fraction",
              foreground_fraction,
              "Share of object pixels that the first outputs give.")
      .with_range(1e-6, 0.5);
}

void HessianNetOptions::validate() const {
  const auto fits = [](int64_t width) { return width >= 8 && width <= 1024; };
  VOXLOOM_CHECK(
      widths.size() >= 2 && widths.size() <= 6 && std::all_of(widths.begin(), widths.end(), fits),
      ErrorCode::kInvalidArgument,
      "hessian-net: widths must be 2 to 6 numbers from 8 to 1024, got {}",
      widths);
  VOXLOOM_CHECK(heads >= 0 && heads + 2 <= static_cast<int64_t>(widths.size()),
                ErrorCode::kInvalidArgument,
                "hessian-net: heads must be at most {}, got {}",
                widths.size() - 2,
                heads);
  nn::HessianOptions{.sigmas = sigmas}.validate();
}

DualAttentionImpl::DualAttentionImpl(int64_t channels) {
  const int64_t inner = std::max<int64_t>(1, channels / 8);
  query = register_module("query", nn::Conv2d(channels, inner, nn::ConvOptions{}));
  key = register_module("key", nn::Conv2d(channels, inner, nn::ConvOptions{}));
  value = register_module("value", nn::Conv2d(channels, channels, nn::ConvOptions{}));
  gamma_position = register_parameter("gamma_position", torch::zeros({1}));
  gamma_channel = register_parameter("gamma_channel", torch::zeros({1}));
}

at::Tensor DualAttentionImpl::position(const at::Tensor& x) {
  const at::Tensor q = query(x).flatten(2).transpose(1, 2), k = key(x).flatten(2);
  const at::Tensor weights = at::matmul(q, k).softmax(-1);  // [B, HW, HW]
  const at::Tensor mixed = at::matmul(value(x).flatten(2), weights.transpose(1, 2));
  return gamma_position * mixed.view(x.sizes()) + x;
}

at::Tensor DualAttentionImpl::channel(const at::Tensor& x) {
  const at::Tensor flat = x.flatten(2);
  // softmax(maximum - e) = softmax(-e): the maximum cancels.
  const at::Tensor weights = (-at::matmul(flat, flat.transpose(1, 2))).softmax(-1);
  return gamma_channel * at::matmul(weights, flat).view(x.sizes()) + x;
}

at::Tensor DualAttentionImpl::forward(const at::Tensor& x) {
  return position(x) + channel(x);
}

HessianNet::HessianNet(const HessianNetOptions& options) : options_(options) {
  options_.validate();
  const auto maps = static_cast<int64_t>(2 * options_.sigmas.size());
  const auto& widths = options_.widths;
  const size_t levels = widths.size();
  // No checkpoint keys: it follows from the options.
  hessian_ = nn::Hessian(nn::HessianOptions{.sigmas = options_.sigmas});
  log_scale_ = register_parameter(
      "log_scale", torch::full({1, maps, 1, 1}, std::log(kFirstScale), torch::kFloat));
  stem_ = register_module("stem", ConvUnit(maps + 1, widths[0]));
  auto list = [&](const char* name) { return register_module(name, torch::nn::ModuleList()); };
  torch::nn::ModuleList encoder = list("encoder"), down = list("down");
  for (size_t level = 0; level < levels; ++level) {
    if (level > 0) {
      down_.emplace_back(widths[level - 1], widths[level], 3, 2);
      down->push_back(down_.back());
    }
    encoder_.emplace_back(widths[level], widths[level]);
    encoder->push_back(encoder_.back());
  }
  deepest_ = register_module("deepest", ResidualBlock(widths.back(), widths.back()));
  attention = register_module("attention", DualAttention(widths.back()));
  fuse_ = register_module("fuse", ConvUnit(widths.back(), widths.back()));
  torch::nn::ModuleList up = list("up"), decoder = list("decoder");
  for (size_t level = 0; level + 1 < levels; ++level) {
    up_.emplace_back(widths[level + 1], widths[level], 2);
    up->push_back(up_.back());
    decoder_.emplace_back(2 * widths[level], widths[level]);
    decoder->push_back(decoder_.back());
  }
  head_ = register_module("head", nn::Conv2d(widths[0], 1, nn::ConvOptions{}));
  torch::nn::ModuleList heads = list("heads");
  for (int64_t n = 1; n <= options_.heads; ++n) {
    heads_.emplace_back(widths[static_cast<size_t>(n)], 1, nn::ConvOptions{});
    heads->push_back(heads_.back());
  }
}

std::vector<at::Tensor> HessianNet::decode(const at::Tensor& x) {
  check_input("hessian-net", x, *this);
  const at::Tensor eigenvalues = (hessian_(x) * (-log_scale_).exp()).tanh();
  at::Tensor y = stem_(at::cat({eigenvalues, x}, 1));
  std::vector<at::Tensor> maps;
  for (size_t level = 0; level < encoder_.size(); ++level) {
    y = encoder_[level](level == 0 ? y : down_[level - 1](y));
    maps.push_back(y);
  }
  maps.back() = fuse_(attention(deepest_(y)));
  for (size_t level = decoder_.size(); level-- > 0;) {
    maps[level] = decoder_[level](at::cat({maps[level], up_[level](maps[level + 1])}, 1));
  }
  return maps;
}

at::Tensor HessianNet::forward(const at::Tensor& x) {
  return head_(decode(x).front());
}

std::vector<at::Tensor> HessianNet::forward_train(const at::Tensor& x) {
  const std::vector<at::Tensor> maps = decode(x);
  std::vector<at::Tensor> logits{head_(maps.front())};
  for (size_t n = 0; n < heads_.size(); ++n) logits.push_back(heads_[n](maps[n + 1]));
  return logits;
}

void HessianNet::initialise(at::Generator generator) {
  initialise_convolutions(*this, generator);
  initialise_head(*head_, options_.foreground_fraction, generator);
  for (nn::Conv2d& head : heads_) {
    initialise_head(*head, options_.foreground_fraction, generator);
  }
}

}  // namespace voxloom::models::wire
