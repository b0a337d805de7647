#pragma once

#include "voxloom/core/options.h"
#include "voxloom/models/wire/wire_blocks.h"
#include "voxloom/models/wire/wire_network.h"

namespace voxloom::models::wire {

struct TemporalUnetOptions {
  int64_t frames = 4;  ///< Channels of the input: the current frame first, then the ones before it.
  int64_t levels = 7;
  int64_t width = 8;     ///< Channels at full resolution, doubled at each level.
  double dropout = 0.5;  ///< In the two deepest levels.
  double noise = 0.03;   ///< Standard deviation of Gaussian noise added to the input in training.
  double foreground_fraction = 0.005;

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
};

/// The U-Net of Ambrosini et al. (MICCAI 2017, arXiv:1707.05137) for catheters in X-ray sequences:
/// four frames as channels, seven levels, residual blocks of two convolutions, 2x2 strided
/// convolutions down, nearest enlargement and a 2x2 convolution up.
///
/// Noise and dropout draw from the default generator. Keys: stem, encoder.<level>, down.<level>,
/// up.<level>, decoder.<level>, head.
class TemporalUnet : public WireNetwork {
 public:
  explicit TemporalUnet(const TemporalUnetOptions& options);

  at::Tensor forward(const at::Tensor& x) override;
  int64_t in_channels() const override { return options_.frames; }
  int64_t size_multiple() const override { return int64_t{1} << (options_.levels - 1); }

  void initialise(at::Generator generator);

 private:
  at::Tensor drop(const at::Tensor& x, size_t level) const;

  TemporalUnetOptions options_;
  ConvUnit stem_{nullptr};
  std::vector<ResidualBlock> encoder_, decoder_;
  std::vector<nn::Conv2d> down_, up_;
  nn::Conv2d head_{nullptr};
};

}  // namespace voxloom::models::wire
