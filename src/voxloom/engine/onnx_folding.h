#pragma once

#include <map>
#include <string>

#include "voxloom/engine/onnx_weights.h"

namespace voxloom::engine {

/// A convolution of a checkpoint and what is folded into it.
struct FoldedConv {
  std::string conv;       ///< Keys `conv`.weight and, where there is one, `conv`.bias.
  std::string norm;       ///< Batch norm after it, keys `norm`.weight, ...; "": none.
  bool identity = false;  ///< Its input is added after the norm.
  int64_t stride = 1;
  int64_t groups = 1;
  double eps = 1e-5;     ///< Of the norm.
  int64_t padding = -1;  ///< On every side; -1: as OnnxFolding says.
};

/// Adds folded convolutions of a checkpoint to a graph; kernels are squares. Odd ones are padded so
/// that the size stays (up to the stride); even ones only after the end, and not at all where the
/// stride is as large. Throws kDataCorrupt naming the key when a weight is missing or has
/// another shape.
class OnnxFolding {
 public:
  OnnxFolding(OnnxGraph& graph, const weights::StateDict& state) : graph_(graph), weights_(state) {}

  /// x [N, C, H, W] -> [N, out, ceil(H / stride), ceil(W / stride)].
  OnnxValue conv(const OnnxValue& x, const FoldedConv& layer);
  /// Transposed convolution of kernel and stride 2, keys `prefix`.weight and `prefix`.bias.
  OnnxValue upscale(const OnnxValue& x, const std::string& prefix);
  /// A parameter as it is; `shape` is that of the graph's tensor, -1 for any extent.
  OnnxValue parameter(const std::string& key, const std::vector<int64_t>& shape);

  [[nodiscard]] const OnnxWeights& weights() const { return weights_; }
  [[nodiscard]] OnnxGraph& graph() { return graph_; }

 private:
  OnnxGraph& graph_;
  OnnxWeights weights_;
};

}  // namespace voxloom::engine
