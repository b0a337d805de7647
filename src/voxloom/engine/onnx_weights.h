#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/engine/onnx_writer.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::engine {

/// Weights of a checkpoint as initializers of a graph: 32-bit, and turned the way ONNX wants them.
/// Every method throws kDataCorrupt, naming the key, when it is missing or has another shape.
class OnnxWeights {
 public:
  /// `state` must outlive this object; its bytes live as long as the graph needs them.
  explicit OnnxWeights(const weights::StateDict& state) : state_(state) {}

  [[nodiscard]] bool has(const std::string& key) const { return state_.find(key) != nullptr; }
  [[nodiscard]] std::vector<int64_t> shape(const std::string& key) const;
  /// The stored values; -1 in `shape` means any extent.
  [[nodiscard]] OnnxTensor tensor(const std::string& key, const std::vector<int64_t>& shape) const;
  /// A linear layer's weight [out, in] as [in, out], for MatMul.
  [[nodiscard]] OnnxTensor transposed(const std::string& key, int64_t out, int64_t in) const;

 private:
  const weights::StateDict& state_;
};

/// Adds checkpoint tensors to a graph under their own keys, once each.
class OnnxLayers {
 public:
  OnnxLayers(OnnxGraph& graph, const OnnxWeights& weights) : graph_(graph), weights_(weights) {}

  OnnxValue weight(const std::string& key, const std::vector<int64_t>& shape);
  /// x [..., in] -> [..., out] with `prefix`.weight [out, in] and `prefix`.bias [out].
  OnnxValue linear(const OnnxValue& x, const std::string& prefix, int64_t out);
  /// `prefix`.layers.0 ... layers.<depth - 1>, `activation` ("Relu" or "Gelu") between them.
  OnnxValue mlp(const OnnxValue& x,
                const std::string& prefix,
                const std::vector<int64_t>& widths,
                const std::string& activation);
  /// Layer norm over the last axis.
  OnnxValue norm(const OnnxValue& x, const std::string& prefix, float epsilon);
  /// Layer norm over the channels of [N, C, H, W].
  OnnxValue map_norm(const OnnxValue& x, const std::string& prefix, float epsilon);
  /// 2-D convolution with a bias where the checkpoint has one.
  OnnxValue conv(const OnnxValue& x,
                 const std::string& prefix,
                 int64_t out,
                 int64_t kernel,
                 int64_t stride,
                 int64_t pad);
  /// Deconvolution whose kernel is as large as its stride.
  OnnxValue conv_transpose(const OnnxValue& x,
                           const std::string& prefix,
                           int64_t out,
                           int64_t stride);
  OnnxValue activate(const OnnxValue& x, const std::string& activation);

  [[nodiscard]] OnnxGraph& graph() { return graph_; }
  [[nodiscard]] const OnnxWeights& weights() const { return weights_; }

 private:
  OnnxValue once(const std::string& name, const OnnxTensor& tensor);

  OnnxGraph& graph_;
  const OnnxWeights& weights_;
  std::map<std::string, OnnxValue> added_;
};

}  // namespace voxloom::engine
