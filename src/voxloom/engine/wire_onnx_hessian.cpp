#include <cmath>

#include "voxloom/core/format.h"
#include "voxloom/engine/wire_onnx_blocks.h"
#include "voxloom/engine/wire_onnx_graphs.h"
#include "voxloom/models/wire/hessian_net.h"
#include "voxloom/models/wire/wire_options.h"

namespace voxloom::engine {

namespace {

using models::wire::kLeak;

// As nn::HessianImpl::forward, for one scale: l1 and l2 along the channels.
OnnxValue eigenvalues(OnnxGraph& graph, const OnnxValue& image, double sigma, size_t scale) {
  const nn::GaussianKernels kernels = nn::gaussian_kernels(sigma, true);
  const size_t length = kernels.smooth.size();
  std::vector<float> down(3 * length), along(9 * length);
  const std::vector<double>* const columns[] = {&kernels.smooth, &kernels.first, &kernels.second};
  for (size_t map = 0; map < 3; ++map) {
    for (size_t tap = 0; tap < length; ++tap) {
      down[map * length + tap] = static_cast<float>(columns[map]->at(tap) * sigma);
      // Each map has its own kernel along the rows. Written with zeros for the other maps:
      // OpenVINO 2026.4 never ends compiling the grouped form in bf16.
      along[(map * 3 + map) * length + tap] = static_cast<float>(columns[2 - map]->at(tap) * sigma);
    }
  }
  const auto extent = static_cast<int64_t>(length);
  OnnxValue x = graph.pad_sides(image, extent / 2, "edge");
  x = graph.conv(x,
                 graph.initializer(format("hessian.{}.down", scale),
                                   OnnxTensor::own({3, 1, extent, 1}, std::move(down))),
                 {},
                 1,
                 0);
  x = graph.conv(x,
                 graph.initializer(format("hessian.{}.along", scale),
                                   OnnxTensor::own({3, 3, 1, extent}, std::move(along))),
                 {},
                 1,
                 0);
  const auto part = graph.split(x, 1, 3);
  const OnnxValue difference = graph.sub(part[0], part[2]);
  const OnnxValue squares = graph.add(graph.mul(difference, difference),
                                      graph.mul(graph.mul(part[1], part[1]), graph.scalar(4.0F)));
  const OnnxValue root = graph.unary("Sqrt", graph.add(squares, graph.scalar(1e-12F)));
  const OnnxValue sum = graph.add(part[0], part[2]);
  const OnnxValue half = graph.scalar(0.5F);
  const OnnxValue high = graph.mul(graph.add(sum, root), half);
  const OnnxValue low = graph.mul(graph.sub(sum, root), half);
  const OnnxValue positive =
      graph.node("GreaterOrEqual", {sum, graph.scalar(0.0F)}, OnnxType::kBool, sum.shape);
  return graph.concat({graph.where(positive, low, high), graph.where(positive, high, low)}, 1);
}

OnnxValue dual_attention(OnnxFolding& layers, const OnnxValue& x) {
  OnnxGraph& graph = layers.graph();
  const auto rows = [&](const OnnxValue& map) {
    return graph.reshape(map, {map.size(0), map.size(1), map.size(2) * map.size(3)});
  };
  const auto point = [&](const char* name) {
    return rows(layers.conv(x, {.conv = std::string("attention.") + name, .norm = ""}));
  };
  const auto gamma = [&](const char* name) {
    return layers.parameter(std::string("attention.") + name, {1});
  };
  const OnnxValue q = graph.transpose(point("query"), {0, 2, 1});
  const OnnxValue weights = graph.softmax(graph.matmul(q, point("key")), -1);
  const OnnxValue mixed = graph.matmul(point("value"), graph.transpose(weights, {0, 2, 1}));
  const OnnxValue position =
      graph.add(graph.mul(graph.reshape(mixed, x.shape), gamma("gamma_position")), x);

  const OnnxValue flat = rows(x);
  const OnnxValue alike = graph.matmul(flat, graph.transpose(flat, {0, 2, 1}));
  const OnnxValue unlike = graph.softmax(graph.unary("Neg", alike), -1);
  const OnnxValue channel = graph.add(
      graph.mul(graph.reshape(graph.matmul(unlike, flat), x.shape), gamma("gamma_channel")), x);
  return graph.add(position, channel);
}

}  // namespace

OnnxValue hessian_net_graph(OnnxFolding& layers,
                            const OnnxValue& image,
                            const nlohmann::ordered_json& json) {
  const auto options =
      models::wire::read_options<models::wire::HessianNetOptions>(json, "hessian-net");
  OnnxGraph& graph = layers.graph();
  graph.set_scope("hessian");
  std::vector<OnnxValue> maps;
  for (size_t scale = 0; scale < options.sigmas.size(); ++scale) {
    maps.push_back(eigenvalues(graph, image, options.sigmas[scale], scale));
  }
  const OnnxValue joined = graph.concat(maps, 1);
  const OnnxValue log_scale = layers.parameter("log_scale", {1, joined.size(1), 1, 1});
  const OnnxValue factors = graph.unary("Exp", graph.unary("Neg", log_scale));
  const OnnxValue squashed = graph.unary("Tanh", graph.mul(joined, factors));

  graph.set_scope("encoder");
  OnnxValue y = conv_unit_graph(layers, graph.concat({squashed, image}, 1), "stem", kLeak);
  maps.clear();
  for (size_t level = 0; level < options.widths.size(); ++level) {
    graph.set_scope(format("encoder.{}", level));
    if (level > 0) y = conv_unit_graph(layers, y, format("down.{}", level - 1), kLeak, 2);
    y = residual_block_graph(layers, y, format("encoder.{}", level), kLeak);
    maps.push_back(y);
  }
  graph.set_scope("attention");
  y = dual_attention(layers, residual_block_graph(layers, y, "deepest", kLeak));
  y = conv_unit_graph(layers, y, "fuse", kLeak);
  for (size_t level = maps.size() - 1; level-- > 0;) {
    graph.set_scope(format("decoder.{}", level));
    const OnnxValue up = layers.upscale(y, format("up.{}", level));
    y = residual_block_graph(
        layers, graph.concat({maps[level], up}, 1), format("decoder.{}", level), kLeak);
  }
  graph.set_scope("head");
  return layers.conv(y, {.conv = "head", .norm = ""});
}

}  // namespace voxloom::engine
