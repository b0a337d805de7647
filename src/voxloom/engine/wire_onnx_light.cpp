#include "voxloom/core/format.h"
#include "voxloom/engine/wire_onnx_graphs.h"
#include "voxloom/models/wire/light_unet.h"
#include "voxloom/models/wire/wire_options.h"

namespace voxloom::engine {

namespace {

OnnxValue unit(OnnxFolding& layers,
               const OnnxValue& x,
               const std::string& key,
               int64_t stride,
               bool residual) {
  return layers.graph().unary(
      "Relu",
      layers.conv(
          x,
          {.conv = key + ".conv", .norm = key + ".norm", .identity = residual, .stride = stride}));
}

}  // namespace

OnnxValue light_unet_graph(OnnxFolding& layers,
                           const OnnxValue& image,
                           const nlohmann::ordered_json& json) {
  const auto options =
      models::wire::read_options<models::wire::LightUnetOptions>(json, "light-unet");
  OnnxGraph& graph = layers.graph();
  std::vector<OnnxValue> maps;
  OnnxValue y = image;
  for (size_t level = 0; level < options.widths.size(); ++level) {
    graph.set_scope(format("encoder.{}", level));
    const int64_t stride = level == 0 ? options.stem_stride : 2;
    for (int64_t n = 0; n <= options.encoder_blocks[level]; ++n) {
      y = unit(layers, y, format("encoder.{}.{}", level, n), n == 0 ? stride : 1, n > 0);
    }
    maps.push_back(y);
  }
  for (size_t level = maps.size() - 1; level-- > 0;) {
    graph.set_scope(format("decoder.{}", level));
    const OnnxValue coarse = unit(layers, y, format("lateral.{}", level), 1, false);
    y = graph.add(maps[level], graph.upsample_nearest(coarse, 2));
    for (int64_t n = 0; n <= options.decoder_blocks[level]; ++n) {
      y = unit(layers, y, format("decoder.{}.{}", level, n), 1, n > 0);
    }
  }
  graph.set_scope("head");
  y = layers.conv(y, {.conv = "head", .norm = ""});
  return options.stem_stride == 1 ? y : graph.depth_to_space(y, options.stem_stride);
}

}  // namespace voxloom::engine
