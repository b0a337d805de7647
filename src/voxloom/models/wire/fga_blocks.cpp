#include "voxloom/models/wire/fga_blocks.h"

#include "voxloom/core/error.h"
#include "voxloom/models/wire/wire_blocks.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::wire {

namespace {

constexpr double kNormEps = 1e-5;

nn::Conv2d conv3(int64_t in, int64_t out, int64_t stride = 1, int64_t groups = 1) {
  return nn::Conv2d(
      in,
      out,
      nn::ConvOptions{
          .kernel = 3, .stride = stride, .padding = 1, .groups = groups, .bias = false});
}

at::Tensor doubled(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

}  // namespace

DeformableConvImpl::DeformableConvImpl(int64_t in, int64_t out) {
  weight = register_parameter("weight", torch::empty({out, in, 3, 3}));
  bias = register_parameter("bias", torch::empty({out}));
}

at::Tensor DeformableConvImpl::forward(const at::Tensor& input, const at::Tensor& offsets) {
  VOXLOOM_CHECK(offsets.dim() == 4 && offsets.size(1) == 18 && offsets.size(2) == input.size(2) &&
                    offsets.size(3) == input.size(3),
                ErrorCode::kInvalidArgument,
                "deformable convolution: offsets must be [B, 18, H, W] of the input {}, got {}",
                tensor::shape_str(input),
                tensor::shape_str(offsets));
  // Half precision has too few digits for positions.
  const nn::FullPrecisionGuard guard;
  const at::Tensor x = nn::to_full(input);
  const int64_t height = x.size(2), width = x.size(3);
  const at::Tensor rows = torch::arange(height, x.options()).view({1, height, 1});
  const at::Tensor columns = torch::arange(width, x.options()).view({1, 1, width});
  const at::Tensor moves = nn::to_full(offsets);
  at::Tensor sum;
  for (int64_t tap = 0; tap < 9; ++tap) {
    const at::Tensor y = rows + static_cast<double>(tap / 3 - 1) + moves.select(1, 2 * tap);
    const at::Tensor z = columns + static_cast<double>(tap % 3 - 1) + moves.select(1, 2 * tap + 1);
    // Grid coordinates: -1 and 1 are the outer edges of the outer pixels.
    const at::Tensor grid = torch::stack({(2.0 * z + 1.0) / static_cast<double>(width) - 1.0,
                                          (2.0 * y + 1.0) / static_cast<double>(height) - 1.0},
                                         -1);
    const at::Tensor sampled = at::grid_sampler_2d(x, grid, 0, 0, false);  // bilinear, zeros
    const at::Tensor part =
        at::conv2d(sampled, weight.select(2, tap / 3).select(2, tap % 3).unsqueeze(2).unsqueeze(3));
    sum = sum.defined() ? sum + part : part;
  }
  return sum + bias.view({1, -1, 1, 1});
}

at::Tensor shift_groups(const at::Tensor& x) {
  VOXLOOM_CHECK(x.dim() == 4 && x.size(1) % 8 == 0,
                ErrorCode::kInvalidArgument,
                "shift groups: channels must be a multiple of 8, got {}",
                tensor::shape_str(x));
  const at::Tensor wide = at::constant_pad_nd(x, {1, 1, 1, 1});
  const int64_t group = x.size(1) / 8;
  std::vector<at::Tensor> parts;
  for (int64_t n = 0; n < 8; ++n) {
    parts.push_back(wide.narrow(1, n * group, group)
                        .narrow(2, 1 - kShifts[n][0], x.size(2))
                        .narrow(3, 1 - kShifts[n][1], x.size(3)));
  }
  return at::cat(parts, 1);
}

ShiftAttentionImpl::ShiftAttentionImpl(int64_t channels) {
  mix = register_module("mix", nn::Conv2d(channels, channels, nn::ConvOptions{}));
  offset = register_module("offset",
                           nn::Conv2d(channels, 18, nn::ConvOptions{.kernel = 3, .padding = 1}));
  deform = register_module("deform", DeformableConv(channels, channels));
}

at::Tensor ShiftAttentionImpl::forward(const at::Tensor& x) {
  const at::Tensor shifted = shift_groups(mix(x));
  const at::Tensor features =
      at::gelu(at::instance_norm(shifted, {}, {}, {}, {}, true, 0.0, kNormEps, false));
  const at::Tensor bent = deform(features, offset(features));
  return x * at::layer_norm(bent, bent.sizes().slice(1), {}, {}, kNormEps).sigmoid();
}

GuidedAggregationImpl::GuidedAggregationImpl(int64_t c) {
  const auto norm = [&](const char* name) { return register_module(name, nn::BatchNorm2d(c)); };
  const auto point = [&](const char* name) {
    return register_module(name, nn::Conv2d(c, c, nn::ConvOptions{.bias = false}));
  };
  low_depthwise = register_module("low_depthwise", conv3(c, c, 1, c));
  low_norm = norm("low_norm");
  low_point = point("low_point");
  low_down = register_module("low_down", conv3(c, c, 2));
  low_down_norm = norm("low_down_norm");
  high_conv = register_module("high_conv", conv3(c, c));
  high_conv_norm = norm("high_conv_norm");
  high_depthwise = register_module("high_depthwise", conv3(c, c, 1, c));
  high_norm = norm("high_norm");
  high_point = point("high_point");
  out_conv = register_module("out_conv", conv3(c, c));
  out_norm = norm("out_norm");
}

at::Tensor GuidedAggregationImpl::forward(const at::Tensor& low, const at::Tensor& high) {
  const at::Tensor fine = low_point(low_norm(low_depthwise(low)));
  const at::Tensor fine_down = low_down_norm(low_down(low));
  const at::Tensor coarse_up = doubled(high_conv_norm(high_conv(high)));
  const at::Tensor coarse = high_point(high_norm(high_depthwise(high)));
  const at::Tensor sum = fine * coarse_up.sigmoid() + doubled(fine_down * coarse.sigmoid());
  return at::relu(out_norm(out_conv(sum)));
}

FgaDoubleConvImpl::FgaDoubleConvImpl(int64_t in, int64_t middle, int64_t out, double dropout)
    : dropout_(dropout) {
  first = register_module("first", conv3(in, middle));
  first_norm = register_module("first_norm", nn::BatchNorm2d(middle));
  second = register_module("second", conv3(middle, out));
  second_norm = register_module("second_norm", nn::BatchNorm2d(out));
}

at::Tensor FgaDoubleConvImpl::forward(const at::Tensor& x) {
  const at::Tensor y =
      at::leaky_relu(at::dropout(first_norm(first(x)), dropout_, is_training()), kLeak);
  return at::leaky_relu(at::dropout(second_norm(second(y)), dropout_, is_training()), kLeak);
}

}  // namespace voxloom::models::wire
