#include "voxloom/core/format.h"
#include "voxloom/engine/wire_onnx_blocks.h"
#include "voxloom/engine/wire_onnx_graphs.h"
#include "voxloom/models/wire/fga_net.h"
#include "voxloom/models/wire/wire_blocks.h"
#include "voxloom/models/wire/wire_options.h"

namespace voxloom::engine {

namespace {

using models::wire::FgaNet;
using models::wire::kLeak;

constexpr float kEpsilon = 1e-5F;

class FgaGraph {
 public:
  explicit FgaGraph(OnnxFolding& layers) : layers_(layers), graph_(layers.graph()) {}

  OnnxValue double_conv(const OnnxValue& x, const std::string& key) {
    const OnnxValue first = graph_.leaky_relu(conv(x, key + ".first", key + ".first_norm"), kSlope);
    return graph_.leaky_relu(conv(first, key + ".second", key + ".second_norm"), kSlope);
  }

  OnnxValue gate(const OnnxValue& x, const std::string& key) {
    const OnnxValue shifted = shift(conv(x, key + ".mix"));
    const OnnxValue features = graph_.gelu(graph_.instance_norm(shifted, kEpsilon));
    const OnnxValue bent = deform(features, conv(features, key + ".offset"), key + ".deform");
    // A norm over channels, rows and columns is that of an image with one channel.
    const OnnxValue flat = graph_.reshape(bent, {1, 1, -1});
    const OnnxValue normed = graph_.reshape(graph_.instance_norm(flat, kEpsilon), x.shape);
    return graph_.mul(x, graph_.unary("Sigmoid", normed));
  }

  OnnxValue fusion(const OnnxValue& low, const OnnxValue& high, const std::string& key) {
    const auto depthwise = [&](const OnnxValue& x, const std::string& name) {
      const OnnxValue y = layers_.conv(
          x,
          {.conv = key + name + "_depthwise", .norm = key + name + "_norm", .groups = x.size(1)});
      return conv(y, key + name + "_point");
    };
    const OnnxValue fine = depthwise(low, ".low");
    const OnnxValue fine_down =
        layers_.conv(low, {.conv = key + ".low_down", .norm = key + ".low_down_norm", .stride = 2});
    const OnnxValue coarse_up =
        graph_.upsample_nearest(conv(high, key + ".high_conv", key + ".high_conv_norm"), 2);
    const OnnxValue coarse = depthwise(high, ".high");
    const OnnxValue a = graph_.mul(fine, graph_.unary("Sigmoid", coarse_up));
    const OnnxValue b =
        graph_.upsample_nearest(graph_.mul(fine_down, graph_.unary("Sigmoid", coarse)), 2);
    return graph_.unary("Relu", conv(graph_.add(a, b), key + ".out_conv", key + ".out_norm"));
  }

  OnnxValue conv(const OnnxValue& x, const std::string& key, const std::string& norm = "") {
    return layers_.conv(x, {.conv = key, .norm = norm});
  }

 private:
  static constexpr auto kSlope = static_cast<float>(kLeak);

  OnnxValue shift(const OnnxValue& x) {
    const OnnxValue wide = graph_.pad_sides(x, 1, "constant");
    const auto groups = graph_.split(wide, 1, 8);
    std::vector<OnnxValue> parts;
    for (size_t n = 0; n < groups.size(); ++n) {
      const int64_t top = 1 - models::wire::kShifts[n][0], left = 1 - models::wire::kShifts[n][1];
      parts.push_back(graph_.slice(
          graph_.slice(groups[n], 2, top, top + x.size(2)), 3, left, left + x.size(3)));
    }
    return graph_.concat(parts, 1);
  }

  // The sampling places of one tap without offsets, [1, H, W, 2] of (x, y).
  OnnxValue places(int64_t height, int64_t width, int64_t tap) {
    const std::string name = format("places.{}x{}.{}", height, width, tap);
    const auto known = places_.find(name);
    if (known != places_.end()) return known->second;
    std::vector<float> values;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        values.push_back(static_cast<float>(
            static_cast<double>(2 * (x + tap % 3 - 1) + 1) / static_cast<double>(width) - 1.0));
        values.push_back(static_cast<float>(
            static_cast<double>(2 * (y + tap / 3 - 1) + 1) / static_cast<double>(height) - 1.0));
      }
    }
    return places_[name] =
               graph_.initializer(name, OnnxTensor::own({1, height, width, 2}, std::move(values)));
  }

  OnnxValue deform(const OnnxValue& x, const OnnxValue& offsets, const std::string& key) {
    const int64_t height = x.size(2), width = x.size(3);
    const OnnxTensor weight = layers_.weights().tensor(key + ".weight", {-1, x.size(1), 3, 3});
    const int64_t out = weight.shape[0], in = weight.shape[1];
    const OnnxValue per_pixel = graph_.initializer(
        key + ".per_pixel",
        OnnxTensor::own({2},
                        {2.0F / static_cast<float>(width), 2.0F / static_cast<float>(height)}));
    const OnnxValue last = graph_.transpose(offsets, {0, 2, 3, 1});
    OnnxValue sum;
    for (int64_t tap = 0; tap < 9; ++tap) {
      const OnnxValue moves = graph_.concat({graph_.slice(last, 3, 2 * tap + 1, 2 * tap + 2),
                                             graph_.slice(last, 3, 2 * tap, 2 * tap + 1)},
                                            3);
      const OnnxValue grid = graph_.add(places(height, width, tap), graph_.mul(moves, per_pixel));
      std::vector<float> values;
      for (int64_t i = 0; i < out * in; ++i) {
        values.push_back(weight.values[static_cast<size_t>(i * 9 + tap)]);
      }
      const OnnxValue w = graph_.initializer(format("{}.weight.{}", key, tap),
                                             OnnxTensor::own({out, in, 1, 1}, std::move(values)));
      const OnnxValue bias = tap == 0 ? layers_.parameter(key + ".bias", {out}) : OnnxValue{};
      const OnnxValue part = graph_.conv(graph_.grid_sample(x, grid), w, bias, 1, 0);
      sum = tap == 0 ? part : graph_.add(sum, part);
    }
    return sum;
  }

  OnnxFolding& layers_;
  OnnxGraph& graph_;
  std::map<std::string, OnnxValue> places_;
};

}  // namespace

OnnxValue fga_net_graph(OnnxFolding& layers,
                        const OnnxValue& image,
                        const nlohmann::ordered_json& /*options*/) {
  OnnxGraph& graph = layers.graph();
  FgaGraph parts(layers);
  std::vector<OnnxValue> maps;
  OnnxValue y = image;
  for (int64_t level = 0; level < FgaNet::kLevels; ++level) {
    graph.set_scope(format("encoder.{}", level));
    if (level > 0) y = graph.max_pool(y, 2, 2);
    if (level >= FgaNet::kFirstGate) {
      y = parts.gate(y, format("gate.{}", level - FgaNet::kFirstGate));
    }
    y = parts.double_conv(y, format("encoder.{}", level));
    maps.push_back(y);
  }
  for (int64_t level = FgaNet::kLevels - 1; level-- > 0;) {
    graph.set_scope(format("decoder.{}", level));
    const OnnxValue fused =
        parts.fusion(maps[static_cast<size_t>(level)], y, format("fusion.{}", level));
    y = graph.concat({fused, graph.upsample_bilinear(y)}, 1);
    if (level >= FgaNet::kDecoderGate) {
      y = parts.gate(y, format("decoder_gate.{}", level - FgaNet::kDecoderGate));
    }
    y = parts.double_conv(y, format("decoder.{}", level));
  }
  graph.set_scope("head");
  return parts.conv(y, "head");
}

}  // namespace voxloom::engine
