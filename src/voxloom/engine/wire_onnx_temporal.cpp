#include "voxloom/core/format.h"
#include "voxloom/engine/wire_onnx_blocks.h"
#include "voxloom/engine/wire_onnx_graphs.h"
#include "voxloom/models/wire/temporal_unet.h"
#include "voxloom/models/wire/wire_options.h"

namespace voxloom::engine {

OnnxValue temporal_unet_graph(OnnxFolding& layers,
                              const OnnxValue& image,
                              const nlohmann::ordered_json& json) {
  const auto options =
      models::wire::read_options<models::wire::TemporalUnetOptions>(json, "temporal-unet");
  OnnxGraph& graph = layers.graph();
  graph.set_scope("encoder");
  OnnxValue y = conv_unit_graph(layers, image, "stem", 0.0);
  std::vector<OnnxValue> maps;
  for (int64_t level = 0; level < options.levels; ++level) {
    graph.set_scope(format("encoder.{}", level));
    if (level > 0) {
      y = graph.unary(
          "Relu", layers.conv(y, {.conv = format("down.{}", level - 1), .norm = "", .stride = 2}));
    }
    y = residual_block_graph(layers, y, format("encoder.{}", level), 0.0);
    maps.push_back(y);
  }
  for (size_t level = maps.size() - 1; level-- > 0;) {
    graph.set_scope(format("decoder.{}", level));
    const OnnxValue wide = graph.upsample_nearest(y, 2);
    const OnnxValue up =
        graph.unary("Relu", layers.conv(wide, {.conv = format("up.{}", level), .norm = ""}));
    y = residual_block_graph(
        layers, graph.concat({maps[level], up}, 1), format("decoder.{}", level), 0.0);
  }
  graph.set_scope("head");
  return layers.conv(y, {.conv = "head", .norm = ""});
}

}  // namespace voxloom::engine
