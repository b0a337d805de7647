#include <cmath>

#include "voxloom/engine/onnx_weights.h"
#include "voxloom/engine/onnx_windows.h"
#include "voxloom/engine/sam_med2d_onnx.h"

namespace voxloom::engine {

namespace {

constexpr float kBlockEpsilon = 1e-6F, kAdapterEpsilon = 1e-5F;

/// A table of relative positions [2 e - 1, d] turned for MatMul: [e, d, e], where entry
/// (query, :, key) is row query - key + e - 1.
OnnxTensor by_offset(const OnnxTensor& table, int64_t edge) {
  const int64_t depth = table.shape.at(1);
  std::vector<float> values(static_cast<size_t>(edge * depth * edge));
  size_t next = 0;
  for (int64_t query = 0; query < edge; ++query) {
    for (int64_t c = 0; c < depth; ++c) {
      for (int64_t key = 0; key < edge; ++key) {
        values[next++] = table.values[static_cast<size_t>((query - key + edge - 1) * depth + c)];
      }
    }
  }
  return OnnxTensor::own({edge, depth, edge}, std::move(values));
}

class EncoderBuilder {
 public:
  EncoderBuilder(const models::sam_med2d::SamMed2dOptions& options, const weights::StateDict& state)
      : graph_("sam_med2d_encoder", "SAM-Med2D image encoder (arXiv:2308.16184)"),
        weights_(state),
        layers_(graph_, weights_),
        options_(options),
        width_(options.embed_dim),
        grid_(options.grid()) {}

  OnnxGraph build() {
    const int64_t size = options_.image_size;
    const OnnxValue image = graph_.input(
        kSamMed2dImage, OnnxType::kF32, {int64_t{1}, int64_t{3}, size, size}, "RGB, normalised");
    graph_.set_scope("patch_embed");
    const OnnxValue patches =
        layers_.conv(image, "image_encoder.patch_embed.proj", width_, 16, 16, 0);
    OnnxTensor position = weights_.tensor("image_encoder.pos_embed", {1, grid_, grid_, width_});
    position.shape = {grid_ * grid_, width_};
    OnnxValue rows =
        graph_.add(rows_of(patches), graph_.initializer("image_encoder.pos_embed", position));
    for (int64_t i = 0; i < options_.depth; ++i) rows = block(rows, i);

    graph_.set_scope("neck");
    const int64_t d = options_.d_model;
    OnnxValue map = layers_.conv(image_of(rows), "image_encoder.neck.0", d, 1, 1, 0);
    map = layers_.map_norm(map, "image_encoder.neck.1", kBlockEpsilon);
    map = layers_.conv(map, "image_encoder.neck.2", d, 3, 1, 1);
    map = layers_.map_norm(map, "image_encoder.neck.3", kBlockEpsilon);
    graph_.set_scope("");
    graph_.output(map,
                  kSamMed2dEmbedding,
                  {int64_t{1}, d, grid_, grid_},
                  "what the decoder needs to know of the image");
    return std::move(graph_);
  }

 private:
  // [1, C, g, g] -> [g * g, C] and back.
  OnnxValue rows_of(const OnnxValue& image) {
    return graph_.reshape(graph_.transpose(image, {0, 2, 3, 1}), {grid_ * grid_, image.size(1)});
  }
  OnnxValue image_of(const OnnxValue& rows) {
    return graph_.transpose(graph_.reshape(rows, {1, grid_, grid_, rows.size(1)}), {0, 3, 1, 2});
  }

  OnnxValue block(const OnnxValue& x, int64_t index) {
    const std::string prefix = "image_encoder.blocks." + std::to_string(index);
    graph_.set_scope("block." + std::to_string(index));
    const int64_t window = options_.is_global(index) ? grid_ : options_.window;
    const OnnxValue attended =
        graph_.add(x, attention(layers_.norm(x, prefix + ".norm1", kBlockEpsilon), prefix, window));
    const OnnxValue normal = layers_.norm(attended, prefix + ".norm2", kBlockEpsilon);
    const OnnxValue hidden = graph_.gelu(layers_.linear(normal, prefix + ".mlp.lin1", 4 * width_));
    const OnnxValue mlp = layers_.linear(hidden, prefix + ".mlp.lin2", width_);
    return graph_.add(graph_.add(attended, mlp), adapter(normal, prefix + ".Adapter"));
  }

  // Normalised rows [g * g, C] -> the same shape. Padded tokens take part: their q, k and v are the
  // bias of qkv, one row for all of them.
  OnnxValue attention(const OnnxValue& x, const std::string& block, int64_t window) {
    const std::string prefix = block + ".attn";
    const int64_t heads = options_.num_heads, depth = width_ / heads, area = window * window;
    const int64_t padded = (grid_ + window - 1) / window * window;
    const int64_t count = (padded / window) * (padded / window);
    const bool whole = window == grid_;
    OnnxValue rows = layers_.linear(x, prefix + ".qkv", 3 * width_);
    if (!whole) {
      OnnxTensor bias = weights_.tensor(prefix + ".qkv.bias", {3 * width_});
      bias.shape = {1, 3 * width_};
      const OnnxValue padding = graph_.initializer(prefix + ".qkv.padding", bias);
      rows = graph_.gather(
          graph_.concat({rows, padding}, 0), graph_.ints(window_rows(grid_, window)), 0);
    }
    const OnnxValue split =
        graph_.transpose(graph_.reshape(rows, {count, area, 3, heads, depth}), {2, 0, 3, 1, 4});
    const auto part = [&](int64_t i) {
      return graph_.reshape(graph_.slice(split, 0, i, i + 1), {count * heads, area, depth});
    };
    const OnnxValue q = part(0), k = part(1), v = part(2);
    const OnnxValue scale = graph_.scalar(1.0F / std::sqrt(static_cast<float>(depth)));
    const OnnxValue scores = graph_.matmul(graph_.mul(q, scale), graph_.transpose(k, {0, 2, 1}));
    const OnnxValue placed = graph_.add(scores, positions(q, prefix, window));
    const OnnxValue mixed = graph_.matmul(graph_.softmax(placed, -1), v);
    OnnxValue joined = graph_.reshape(
        graph_.transpose(graph_.reshape(mixed, {count, heads, area, depth}), {0, 2, 1, 3}),
        {count * area, width_});
    if (!whole) joined = graph_.gather(joined, graph_.ints(line_rows(grid_, padded, window)), 0);
    return layers_.linear(joined, prefix + ".proj", width_);
  }

  // What the queries [B, e * e, d] (not scaled) say about relative positions: [B, e * e, e * e].
  OnnxValue positions(const OnnxValue& q, const std::string& prefix, int64_t edge) {
    const int64_t count = q.size(0), area = edge * edge, depth = q.size(2);
    const auto table = [&](const char* axis) {
      const std::string key = prefix + axis;
      return graph_.initializer(key, by_offset(weights_.tensor(key, {2 * edge - 1, depth}), edge));
    };
    const OnnxValue map = graph_.reshape(q, {count, edge, edge, depth});  // y, x
    const OnnxValue rows = graph_.matmul(map, table(".rel_pos_h"));       // y, x, key y
    const OnnxValue columns = graph_.transpose(
        graph_.matmul(graph_.transpose(map, {0, 2, 1, 3}), table(".rel_pos_w")), {0, 2, 1, 3});
    return graph_.reshape(graph_.add(graph_.reshape(rows, {count, area, edge, 1}),
                                     graph_.reshape(columns, {count, area, 1, edge})),
                          {count, area, area});
  }

  OnnxValue adapter(const OnnxValue& x, const std::string& prefix) {
    const int64_t gate_dim = options_.gate_dim();
    const auto gate_weight = [&](const char* name, int64_t out, int64_t in) {
      const std::string key = prefix + name;
      return graph_.initializer(key, weights_.transposed(key, out, in));
    };
    const OnnxValue mean =
        graph_.node("ReduceMean",
                    {x},
                    OnnxType::kF32,
                    {1, width_},
                    {{"axes", std::vector<int64_t>{0}}, {"keepdims", int64_t{1}}});
    const OnnxValue hidden = graph_.unary(
        "Relu", graph_.matmul(mean, gate_weight(".channel.0.weight", gate_dim, width_)));
    const OnnxValue gate = graph_.unary(
        "Sigmoid", graph_.matmul(hidden, gate_weight(".channel.2.weight", width_, gate_dim)));
    const OnnxValue down = graph_.unary(
        "Relu",
        layers_.conv(image_of(graph_.mul(x, gate)), prefix + ".spatial.0", width_, 3, 2, 1));
    const OnnxValue kernel = layers_.weight(prefix + ".spatial.2.weight", {width_, width_, 4, 4});
    const OnnxValue up = graph_.node("ConvTranspose",
                                     {down, kernel},
                                     OnnxType::kF32,
                                     {1, width_, grid_, grid_},
                                     {{"kernel_shape", std::vector<int64_t>{4, 4}},
                                      {"strides", std::vector<int64_t>{2, 2}},
                                      {"pads", std::vector<int64_t>(4, 1)}});
    return layers_.norm(
        graph_.add(x, rows_of(graph_.unary("Relu", up))), prefix + ".norm", kAdapterEpsilon);
  }

  OnnxGraph graph_;
  OnnxWeights weights_;
  OnnxLayers layers_;
  const models::sam_med2d::SamMed2dOptions& options_;
  const int64_t width_, grid_;
};

}  // namespace

OnnxGraph sam_med2d_encoder_graph(const models::sam_med2d::SamMed2dOptions& options,
                                  const weights::StateDict& state) {
  options.validate();
  return EncoderBuilder(options, state).build();
}

}  // namespace voxloom::engine
