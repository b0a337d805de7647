#pragma once

#include "voxloom/nn/batch_norm.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::wire {

// The parts of FGA-Net (guidewire segmentation, Quantitative Imaging in Medicine and Surgery 2025,
// article 136604), written from its description.

/// A 3x3 convolution, stride 1, padding 1, whose nine taps lie where `offsets` say (Dai et al.
/// 2017, arXiv:1703.06211; no modulation). x [B, in, H, W], offsets [B, 18, H, W] in pixels, (dy,
/// dx) for each tap -> [B, out, H, W]. Between pixels bilinear, outside the image 0. Keys: weight
/// [out, in, 3, 3], bias.
class DeformableConvImpl : public torch::nn::Module {
 public:
  DeformableConvImpl(int64_t in, int64_t out);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& offsets);

  at::Tensor weight, bias;
};
TORCH_MODULE(DeformableConv);

/// Eight groups of channels, each moved by one pixel in another of the eight directions, zeros
/// moving in. x [B, C, H, W] with C a multiple of 8.
[[nodiscard]] at::Tensor shift_groups(const at::Tensor& x);
/// (dy, dx) of each group.
inline constexpr int kShifts[8][2] = {
    {-1, -1}, {-1, 0}, {-1, 1}, {0, -1}, {0, 1}, {1, -1}, {1, 0}, {1, 1}};

/// Shift deformable attention: x -> x * sigmoid(norm(deformable convolution of the shifted x)).
/// Keys: mix (1x1), offset (3x3, 18 outputs), deform.
class ShiftAttentionImpl : public torch::nn::Module {
 public:
  explicit ShiftAttentionImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d mix{nullptr}, offset{nullptr};
  DeformableConv deform{nullptr};
};
TORCH_MODULE(ShiftAttention);

/// Bilateral guided aggregation (after BiSeNetV2, arXiv:2004.02147): low [B, C, H, W] and
/// high [B, C, H/2, W/2] gate each other -> [B, C, H, W]. Enlarging takes the nearest pixel.
class GuidedAggregationImpl : public torch::nn::Module {
 public:
  explicit GuidedAggregationImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& low, const at::Tensor& high);

  nn::Conv2d low_depthwise{nullptr}, low_point{nullptr}, low_down{nullptr};
  nn::Conv2d high_conv{nullptr}, high_depthwise{nullptr}, high_point{nullptr}, out_conv{nullptr};
  nn::BatchNorm2d low_norm{nullptr}, low_down_norm{nullptr};
  nn::BatchNorm2d high_conv_norm{nullptr}, high_norm{nullptr}, out_norm{nullptr};
};
TORCH_MODULE(GuidedAggregation);

/// Twice: 3x3 convolution without bias, batch norm, dropout, leaky ReLU. Keys: first, second,
/// first_norm, second_norm.
class FgaDoubleConvImpl : public torch::nn::Module {
 public:
  FgaDoubleConvImpl(int64_t in, int64_t middle, int64_t out, double dropout);
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d first{nullptr}, second{nullptr};
  nn::BatchNorm2d first_norm{nullptr}, second_norm{nullptr};

 private:
  double dropout_;
};
TORCH_MODULE(FgaDoubleConv);

}  // namespace voxloom::models::wire
