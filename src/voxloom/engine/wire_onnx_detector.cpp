#include "voxloom/core/error.h"
#include "voxloom/engine/onnx_folding.h"
#include "voxloom/engine/wire_onnx.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/tensor/load.h"

namespace voxloom::engine {

namespace {

using models::wire::kDetectorLevelList;
using models::wire::kDetectorLevels;

OnnxValue silu_unit(OnnxFolding& layers,
                    const OnnxValue& x,
                    const std::string& key,
                    int64_t stride = 1,
                    int64_t padding = -1) {
  OnnxGraph& graph = layers.graph();
  const OnnxValue y = layers.conv(x,
                                  {.conv = key + ".conv",
                                   .norm = key + ".norm",
                                   .stride = stride,
                                   .eps = models::wire::kSiluNormEps,
                                   .padding = padding});
  return graph.mul(y, graph.unary("Sigmoid", y));
}

OnnxValue cross_stage(OnnxFolding& layers, const OnnxValue& x, const std::string& key, bool add) {
  OnnxGraph& graph = layers.graph();
  OnnxValue y = silu_unit(layers, x, key + ".through");
  for (int64_t n = 0; layers.weights().has(format("{}.blocks.{}.wide.conv.weight", key, n)); ++n) {
    const std::string block = format("{}.blocks.{}", key, n);
    const OnnxValue z = silu_unit(layers, silu_unit(layers, y, block + ".narrow"), block + ".wide");
    y = add ? graph.add(y, z) : z;
  }
  return silu_unit(
      layers, graph.concat({y, silu_unit(layers, x, key + ".past")}, 1), key + ".joined");
}

OnnxValue pool_pyramid(OnnxFolding& layers, const OnnxValue& x) {
  OnnxGraph& graph = layers.graph();
  std::vector<OnnxValue> maps{silu_unit(layers, x, "pyramid.narrow")};
  for (int pool = 0; pool < 3; ++pool) {
    const OnnxValue& last = maps.back();
    maps.push_back(graph.node("MaxPool",
                              {last},
                              last.type,
                              last.shape,
                              {{"kernel_shape", std::vector<int64_t>{5, 5}},
                               {"strides", std::vector<int64_t>{1, 1}},
                               {"pads", std::vector<int64_t>(4, 2)}}));
  }
  return silu_unit(layers, graph.concat(maps, 1), "pyramid.wide");
}

std::vector<OnnxValue> features(OnnxFolding& layers, const OnnxValue& image) {
  OnnxGraph& graph = layers.graph();
  graph.set_scope("backbone");
  OnnxValue y = silu_unit(layers, image, "stem", 2, 2);
  std::vector<OnnxValue> stages;
  for (int n = 0; n < 4; ++n) {
    y = silu_unit(layers, y, format("down.{}", n), 2);
    y = cross_stage(layers, y, format("stage.{}", n), true);
    stages.push_back(y);
  }
  graph.set_scope("neck");
  const auto up = [&](const OnnxValue& x) { return graph.upsample_nearest(x, 2); };
  const OnnxValue deep = silu_unit(layers, pool_pyramid(layers, y), "narrow.0");
  const OnnxValue middle =
      silu_unit(layers,
                cross_stage(layers, graph.concat({up(deep), stages[2]}, 1), "top_down.0", false),
                "narrow.1");
  std::vector<OnnxValue> maps;
  maps.push_back(
      cross_stage(layers, graph.concat({up(middle), stages[1]}, 1), "top_down.1", false));
  maps.push_back(
      cross_stage(layers,
                  graph.concat({silu_unit(layers, maps[0], "neck_down.0", 2), middle}, 1),
                  "bottom_up.0",
                  false));
  maps.push_back(cross_stage(layers,
                             graph.concat({silu_unit(layers, maps[1], "neck_down.1", 2), deep}, 1),
                             "bottom_up.1",
                             false));
  return maps;
}

}  // namespace

OnnxGraph detector_graph(const nlohmann::ordered_json& options,
                         const weights::StateDict& state,
                         const WireGraphSize& size) {
  const auto network = models::wire::make_detector(options, 0);
  const int64_t multiple = network->size_multiple();
  VOXLOOM_CHECK(size.height > 0 && size.width > 0 && size.height % multiple == 0 &&
                    size.width % multiple == 0,
                ErrorCode::kInvalidArgument,
                "detector: height and width must be multiples of {}, got {} x {}",
                multiple,
                size.height,
                size.width);
  const tensor::KeyDiff diff = tensor::diff_keys(tensor::named_shapes(*network), state);
  VOXLOOM_CHECK(diff.empty(),
                ErrorCode::kDataCorrupt,
                "detector: weights must fit the network, got {}",
                diff.describe());
  OnnxGraph graph(models::wire::kDetectorName, models::wire::detector_architecture().summary);
  const OnnxValue image =
      graph.input(kWireInput,
                  OnnxType::kF32,
                  {int64_t{1}, network->options().frames, size.height, size.width},
                  "the frame and those before it, normalised together");
  OnnxFolding layers(graph, state);
  const std::vector<OnnxValue> maps = features(layers, image);
  const auto dims = [](const OnnxValue& map) {
    return std::vector<OnnxDim>(map.shape.begin(), map.shape.end());
  };
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    graph.set_scope(format("level.{}", level));
    OnnxValue map = maps[level];
    if (network->options().previous) {
      const OnnxValue previous = graph.input(
          kDetectorPreviousNames[level], OnnxType::kF32, dims(map), "features of the frame before");
      map = silu_unit(layers, graph.concat({map, previous}, 1), format("join.{}", level));
    }
    const OnnxValue raw = layers.conv(map, {.conv = format("head.{}", level), .norm = ""});
    graph.output(raw, kDetectorMapNames[level], dims(raw), "anchors x (box, objectness, classes)");
  }
  graph.set_scope("");
  if (network->options().previous) {
    for (size_t level = 0; level < kDetectorLevels; ++level) {
      graph.output(maps[level],
                   kDetectorFeatureNames[level],
                   dims(maps[level]),
                   "for the next frame's previous");
    }
  }
  return graph;
}

}  // namespace voxloom::engine
