#pragma once

#include "voxloom/core/options.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/nn/batch_norm.h"
#include "voxloom/nn/layers.h"

namespace voxloom::models::wire {

struct LightUnetOptions {
  int64_t in_channels = 1;  ///< Frames or filter maps.
  /// Channels at full resolution, then at 1/2, 1/4, ... of it.
  std::vector<int64_t> widths{16, 32, 48, 64, 96, 128};
  /// Residual convolutions of the encoder at each of these resolutions.
  std::vector<int64_t> encoder_blocks{0, 0, 1, 1, 2, 2};
  /// Of the decoder, after its fusing convolution; one number less than `widths`.
  std::vector<int64_t> decoder_blocks{0, 0, 0, 1, 1};
  /// 1; or 2: the finest maps have half the image's resolution, and each of their pixels gives
  /// 2 x 2 logits (1024 x 1024 video).
  int64_t stem_stride = 1;
  int64_t heads = 2;  ///< Deep supervision heads, at the decoder's second resolution and below.
  double foreground_fraction = 0.005;  ///< Gives the last bias its start value ln(f / (1 - f)).

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
  [[nodiscard]] int64_t levels() const { return static_cast<int64_t>(widths.size()); }
};

/// relu(bn(conv 3x3)); with `residual`, relu(x + bn(conv 3x3)): both are one plain convolution with
/// a bias and a ReLU once the norm (and the identity) is folded in. Keys: conv.weight, norm.*.
class LightConvImpl : public torch::nn::Module {
 public:
  LightConvImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride, bool residual);
  at::Tensor forward(const at::Tensor& x);

  nn::Conv2d conv{nullptr};
  nn::BatchNorm2d norm{nullptr};

 private:
  bool residual_;
};
TORCH_MODULE(LightConv);

/// The real-time network: a U-Net of our own whose cost lies where thin wires need it.
///
/// One convolution at full resolution in, one out: the fine path, 16 channels, never pooled, so
/// that a wire of one pixel reaches the output. Below, strided convolutions and more of them the
/// coarser (and so cheaper) the map, for the long context that tells a wire from noise. The decoder
/// adds instead of concatenating: a 1x1 convolution of the coarser map, doubled, plus the encoder's
/// map, then a 3x3 convolution. 3x3 convolutions with ReLU and multiples of 16 channels throughout:
/// what CPU libraries run fastest. Batch norm and residual sums fold away (RepVGG,
/// arXiv:2101.03697).
///
/// Keys: stem, encoder.<level>.<n>, lateral.<level>, decoder.<level>.<n>, head, heads.<n>.
class LightUnet : public WireNetwork {
 public:
  explicit LightUnet(const LightUnetOptions& options);

  at::Tensor forward(const at::Tensor& x) override;
  std::vector<at::Tensor> forward_train(const at::Tensor& x) override;
  int64_t in_channels() const override { return options_.in_channels; }
  int64_t size_multiple() const override;

  /// Start values from `generator`; the bias of every head gives the foreground fraction.
  void initialise(at::Generator generator);

 private:
  // Decoder maps, finest first; `count` of them.
  std::vector<at::Tensor> decode(const at::Tensor& x, int64_t count);
  at::Tensor finest_logits(const at::Tensor& map);

  LightUnetOptions options_;
  std::vector<std::vector<LightConv>> encoder_, decoder_;
  std::vector<LightConv> lateral_;
  nn::Conv2d head_{nullptr};
  std::vector<nn::Conv2d> heads_;
};

/// The variant for still images, where there is time: wider, with residual convolutions at full
/// resolution as in FRNet (arXiv:2309.09483).
[[nodiscard]] LightUnetOptions fine_unet_options();

}  // namespace voxloom::models::wire
