#include "voxloom/engine/wire_onnx_blocks.h"

namespace voxloom::engine {

OnnxValue activated_graph(OnnxGraph& graph, const OnnxValue& x, double slope) {
  return slope == 0.0 ? graph.unary("Relu", x) : graph.leaky_relu(x, static_cast<float>(slope));
}

OnnxValue conv_unit_graph(
    OnnxFolding& layers, const OnnxValue& x, const std::string& key, double slope, int64_t stride) {
  return activated_graph(
      layers.graph(),
      layers.conv(x, {.conv = key + ".conv", .norm = key + ".norm", .stride = stride}),
      slope);
}

OnnxValue residual_block_graph(OnnxFolding& layers,
                               const OnnxValue& x,
                               const std::string& key,
                               double slope) {
  const OnnxValue first = conv_unit_graph(layers, x, key + ".first", slope);
  const OnnxValue y = layers.conv(first, {.conv = key + ".second", .norm = key + ".norm"});
  const OnnxValue skip = layers.weights().has(key + ".skip.weight")
                             ? layers.conv(x, {.conv = key + ".skip", .norm = ""})
                             : x;
  return activated_graph(layers.graph(), layers.graph().add(y, skip), slope);
}

}  // namespace voxloom::engine
