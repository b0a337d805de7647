#pragma once

#include "voxloom/core/options.h"
#include "voxloom/models/wire/wire_blocks.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/nn/hessian.h"

namespace voxloom::models::wire {

struct HessianNetOptions {
  std::vector<int64_t> widths{16, 32, 64, 128};  ///< At full resolution, 1/2, 1/4, 1/8.
  std::vector<double> sigmas{1.0, 2.0, 3.0};     ///< Of the Hessian layer, in pixels.
  int64_t heads = 0;  ///< Deep supervision heads, at half resolution and below.
  double foreground_fraction = 0.005;

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
};

/// Attention over positions and over channels side by side (DANet, Fu et al. 2019,
/// arXiv:1809.02983). forward: x [B, C, H, W] -> position(x) + channel(x).
///
/// Keys: query, key, value (1x1), gamma_position, gamma_channel. Both factors start at 0, where
/// each branch gives x itself.
class DualAttentionImpl : public torch::nn::Module {
 public:
  explicit DualAttentionImpl(int64_t channels);
  at::Tensor forward(const at::Tensor& x);
  /// gamma attention(v) + x: every position looks at all others, [H W, H W] weights.
  at::Tensor position(const at::Tensor& x);
  /// gamma A x + x with A = softmax(row maximum - x x^T), [C, C]: unlike channels look at each
  /// other.
  at::Tensor channel(const at::Tensor& x);

  nn::Conv2d query{nullptr}, key{nullptr}, value{nullptr};
  at::Tensor gamma_position, gamma_channel;
};
TORCH_MODULE(DualAttention);

/// Segments a crop around a wire (after Zhang et al. 2024, whose layer widths are not published):
/// image and squashed Hessian eigenvalues, a residual encoder and decoder, dual attention between.
///
/// The eigenvalues are tanh(l exp(-log_scale)) with a learned scale each. Keys: log_scale, stem,
/// encoder.<level>, down.<level>, deepest, attention, fuse, up.<level>, decoder.<level>, head,
/// heads.<n>.
class HessianNet : public WireNetwork {
 public:
  explicit HessianNet(const HessianNetOptions& options);

  at::Tensor forward(const at::Tensor& x) override;
  std::vector<at::Tensor> forward_train(const at::Tensor& x) override;
  int64_t size_multiple() const override { return int64_t{1} << (options_.widths.size() - 1); }

  void initialise(at::Generator generator);

  DualAttention attention{nullptr};

 private:
  std::vector<at::Tensor> decode(const at::Tensor& x);

  HessianNetOptions options_;
  nn::Hessian hessian_{nullptr};
  at::Tensor log_scale_;
  ConvUnit stem_{nullptr}, fuse_{nullptr};
  ResidualBlock deepest_{nullptr};
  std::vector<ResidualBlock> encoder_, decoder_;
  std::vector<ConvUnit> down_;
  std::vector<nn::Upscale2d> up_;
  nn::Conv2d head_{nullptr};
  std::vector<nn::Conv2d> heads_;
};

}  // namespace voxloom::models::wire
