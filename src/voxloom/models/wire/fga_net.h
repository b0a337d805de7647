#pragma once

#include "voxloom/core/options.h"
#include "voxloom/models/wire/fga_blocks.h"
#include "voxloom/models/wire/wire_network.h"

namespace voxloom::models::wire {

struct FgaNetOptions {
  int64_t in_channels = 3;  ///< The original takes three copies of the grey image.
  int64_t width = 32;       ///< Channels at full resolution; 16 times that at the bottom.
  double dropout = 0.2;
  bool heads = true;  ///< The five auxiliary heads.
  double foreground_fraction = 0.005;

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
};

/// FGA-Net (Quantitative Imaging in Medicine and Surgery 2025, article 136604): a U-Net of six
/// levels with shift deformable attention before most double convolutions and bilateral guided
/// aggregation on every skip. With the default options it has the parameters that the original uses
/// (45.1 M; its checkpoint holds 24.4 M more that no output depends on).
///
/// forward_train: the auxiliary heads at their own resolution, H/2 to H/32. Dropout draws from the
/// default generator. Keys: encoder.<level>, gate.<level>, fusion.<level>, decoder_gate.<level>,
/// decoder.<level>, head, heads.<n>.
class FgaNet : public WireNetwork {
 public:
  explicit FgaNet(const FgaNetOptions& options);

  at::Tensor forward(const at::Tensor& x) override;
  std::vector<at::Tensor> forward_train(const at::Tensor& x) override;
  int64_t in_channels() const override { return options_.in_channels; }
  int64_t size_multiple() const override { return int64_t{1} << (kLevels - 1); }

  void initialise(at::Generator generator);

  static constexpr int64_t kLevels = 6;
  /// The first level whose double convolution has a gate before it, and the first of the decoder's
  /// without (its gates are at this level and deeper).
  static constexpr int64_t kFirstGate = 2, kDecoderGate = 2;

  /// Encoder channels by level, and decoder channels of level 0 to 4.
  [[nodiscard]] static std::vector<int64_t> encoder_widths(int64_t width);
  [[nodiscard]] static std::vector<int64_t> decoder_widths(int64_t width);

 private:
  std::vector<at::Tensor> decode(const at::Tensor& x);

  FgaNetOptions options_;
  std::vector<FgaDoubleConv> encoder_, decoder_;
  std::vector<ShiftAttention> gate_, decoder_gate_;
  std::vector<GuidedAggregation> fusion_;
  nn::Conv2d head_{nullptr};
  std::vector<nn::Conv2d> heads_;
};

/// Half as wide, for one grey channel.
[[nodiscard]] FgaNetOptions fga_light_options();

}  // namespace voxloom::models::wire
