#include "voxloom/engine/sam_onnx_parts.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

namespace voxloom::engine {

namespace {

constexpr int64_t kHeads = 8;
constexpr float kTokenEpsilon = 1e-5F, kMapEpsilon = 1e-6F;

std::vector<float> values_of(const OnnxTensor& tensor) {
  return {tensor.values.begin(), tensor.values.end()};
}

// Rows of several [1, d] or [n, d] embeddings, one below the other.
OnnxTensor stack_rows(const OnnxWeights& weights,
                      const std::vector<std::string>& keys,
                      int64_t width) {
  std::vector<float> rows;
  for (const std::string& key : keys) {
    const std::vector<float> values = values_of(weights.tensor(key, {-1, width}));
    rows.insert(rows.end(), values.begin(), values.end());
  }
  const auto count = static_cast<int64_t>(rows.size()) / width;
  return OnnxTensor::own({count, width}, std::move(rows));
}

}  // namespace

SamDecoderParts::SamDecoderParts(OnnxLayers& layers, SamDecoderLayout layout)
    : layers_(layers),
      graph_(layers.graph()),
      layout_(std::move(layout)),
      width_(layout_.width),
      grid_(layout_.grid()) {}

// Fourier features of coordinates within [0, 1] (Tancik et al. 2020, arXiv:2006.10739).
OnnxValue SamDecoderParts::embed_points(const OnnxValue& coords, const OnnxValue& labels) {
  graph_.set_scope("prompt");
  const auto size = static_cast<float>(layout_.image_size);
  // 2 (x + 0.5) / S - 1: pixel centres within [-1, 1].
  const OnnxValue unit = graph_.div(graph_.add(coords, graph_.scalar(0.5F)), graph_.scalar(size));
  const OnnxValue centred = graph_.sub(graph_.mul(unit, graph_.scalar(2.0F)), graph_.scalar(1.0F));
  const OnnxValue matrix =
      layers_.weight(prompt_key("pe_layer.positional_encoding_gaussian_matrix"), {2, width_ / 2});
  const OnnxValue angle = graph_.mul(graph_.matmul(centred, matrix),
                                     graph_.scalar(static_cast<float>(2.0 * std::numbers::pi)));
  const OnnxValue features =
      graph_.concat({graph_.unary("Sin", angle), graph_.unary("Cos", angle)}, 2);

  // Row label + 1 of this table is added; a padding point (-1) has no position.
  std::vector<std::string> keys{prompt_key("not_a_point_embed.weight")};
  for (int label = 0; label < 4; ++label) {
    keys.push_back(prompt_key("point_embeddings." + std::to_string(label) + ".weight"));
  }
  const OnnxValue table =
      graph_.initializer("point_table", stack_rows(layers_.weights(), keys, width_));
  const OnnxValue row = graph_.add(labels, graph_.scalar(1.0F));
  const OnnxValue kind = graph_.gather(table, graph_.cast(row, OnnxType::kI64), 0);
  const OnnxValue real_point = graph_.reshape(graph_.clip(row, 0.0F, 1.0F), {1, -1, 1});
  return graph_.add(graph_.mul(features, real_point), kind);
}

OnnxValue SamDecoderParts::padding_point() {
  const std::string key = prompt_key("not_a_point_embed.weight");
  return graph_.initializer(
      "padding_point",
      OnnxTensor::own({1, 1, width_}, values_of(layers_.weights().tensor(key, {1, width_}))));
}

OnnxValue SamDecoderParts::embed_mask(const OnnxValue& mask, const OnnxValue& has_mask) {
  graph_.set_scope("prompt/mask");
  OnnxValue x = layers_.conv(mask, prompt_key("mask_downscaling.0"), 4, 2, 2, 0);
  x = graph_.gelu(layers_.map_norm(x, prompt_key("mask_downscaling.1"), kMapEpsilon));
  x = layers_.conv(x, prompt_key("mask_downscaling.3"), 16, 2, 2, 0);
  x = graph_.gelu(layers_.map_norm(x, prompt_key("mask_downscaling.4"), kMapEpsilon));
  x = layers_.conv(x, prompt_key("mask_downscaling.6"), width_, 1, 1, 0);
  const OnnxValue none = graph_.initializer(
      "no_mask",
      OnnxTensor::own(
          {1, width_, 1, 1},
          values_of(layers_.weights().tensor(prompt_key("no_mask_embed.weight"), {1, width_}))));
  // Where() keeps whatever an ignored mask holds (NaN included) out of the result.
  const OnnxValue given =
      graph_.node("Greater", {has_mask, graph_.scalar(0.5F)}, OnnxType::kBool, has_mask.shape);
  return graph_.node("Where", {given, x, none}, OnnxType::kF32, x.shape);
}

OnnxValue SamDecoderParts::learned_tokens(const std::vector<std::string>& keys) {
  OnnxTensor rows = stack_rows(layers_.weights(), keys, width_);
  rows.shape.insert(rows.shape.begin(), 1);
  return graph_.initializer("output_tokens", rows);
}

// Position features of the g x g grid as rows [1, g*g, d]; a constant.
OnnxValue SamDecoderParts::grid_position() {
  const OnnxTensor matrix = layers_.weights().tensor(
      prompt_key("pe_layer.positional_encoding_gaussian_matrix"), {2, width_ / 2});
  const at::Tensor g = at::from_blob(const_cast<float*>(matrix.values.data()), {2, width_ / 2});
  const at::Tensor centre =
      2.0 * (at::arange(grid_, at::kFloat) + 0.5) / static_cast<double>(grid_) - 1.0;
  const at::Tensor x = centre.view({1, grid_, 1}).expand({grid_, grid_, 1});
  const at::Tensor y = centre.view({grid_, 1, 1}).expand({grid_, grid_, 1});
  const at::Tensor angle = 2.0 * std::numbers::pi * at::matmul(at::cat({x, y}, 2), g);
  const at::Tensor rows =
      at::cat({angle.sin(), angle.cos()}, 2).reshape({1, grid_ * grid_, width_}).contiguous();
  const auto* data = rows.const_data_ptr<float>();
  return graph_.initializer("grid_position",
                            OnnxTensor::own(rows.sizes().vec(), {data, data + rows.numel()}));
}

OnnxValue SamDecoderParts::heads(const OnnxValue& x, const std::vector<int64_t>& order) {
  return graph_.transpose(graph_.reshape(x, {1, -1, kHeads, x.size(-1) / kHeads}), order);
}

OnnxValue SamDecoderParts::attention(const std::string& prefix,
                                     const OnnxValue& q,
                                     const OnnxValue& k,
                                     const OnnxValue& v,
                                     int64_t inner) {
  const OnnxValue queries = heads(layers_.linear(q, prefix + ".q_proj", inner), {0, 2, 1, 3});
  const OnnxValue keys = heads(layers_.linear(k, prefix + ".k_proj", inner), {0, 2, 3, 1});
  const OnnxValue values = heads(layers_.linear(v, prefix + ".v_proj", inner), {0, 2, 1, 3});
  const auto depth = static_cast<float>(inner / kHeads);
  const OnnxValue scores =
      graph_.mul(graph_.matmul(queries, keys), graph_.scalar(1.0F / std::sqrt(depth)));
  const OnnxValue mixed = graph_.matmul(graph_.softmax(scores, -1), values);
  const OnnxValue rows = graph_.reshape(graph_.transpose(mixed, {0, 2, 1, 3}), {1, -1, inner});
  return layers_.linear(rows, prefix + ".out_proj", width_);
}

OnnxValue SamDecoderParts::norm(const OnnxValue& x, const std::string& prefix) {
  return layers_.norm(x, prefix, kTokenEpsilon);
}

void SamDecoderParts::transform(OnnxValue& tokens, OnnxValue& image) {
  const OnnxValue token_position = tokens;
  const OnnxValue image_position = grid_position();
  const auto placed = [&](const OnnxValue& x) { return graph_.add(x, token_position); };
  for (int layer = 0; layer < 2; ++layer) {
    const std::string prefix = decoder_key("transformer.layers." + std::to_string(layer));
    graph_.set_scope("transformer." + std::to_string(layer));
    if (layer == 0) {  // without position and without residual
      tokens = attention(prefix + ".self_attn", tokens, tokens, tokens, width_);
    } else {
      const OnnxValue q = placed(tokens);
      tokens = graph_.add(tokens, attention(prefix + ".self_attn", q, q, tokens, width_));
    }
    tokens = norm(tokens, prefix + ".norm1");
    OnnxValue keys = graph_.add(image, image_position);
    tokens = graph_.add(
        tokens,
        attention(prefix + ".cross_attn_token_to_image", placed(tokens), keys, image, width_ / 2));
    tokens = norm(tokens, prefix + ".norm2");
    const std::string first = prefix + "." + layout_.mlp_first;
    const OnnxValue hidden = graph_.unary(
        "Relu", layers_.linear(tokens, first, layers_.weights().shape(first + ".bias").at(0)));
    tokens = graph_.add(tokens, layers_.linear(hidden, prefix + "." + layout_.mlp_second, width_));
    tokens = norm(tokens, prefix + ".norm3");
    image = graph_.add(
        image,
        attention(prefix + ".cross_attn_image_to_token", keys, placed(tokens), tokens, width_ / 2));
    image = norm(image, prefix + ".norm4");
  }
  graph_.set_scope("transformer.final");
  tokens = graph_.add(tokens,
                      attention(decoder_key("transformer.final_attn_token_to_image"),
                                placed(tokens),
                                graph_.add(image, image_position),
                                image,
                                width_ / 2));
  tokens = norm(tokens, decoder_key("transformer.norm_final_attn"));
}

OnnxValue SamDecoderParts::upscale(const OnnxValue& rows,
                                   const OnnxValue& f1,
                                   const OnnxValue& f0) {
  graph_.set_scope("upscale");
  OnnxValue x = graph_.reshape(graph_.transpose(rows, {0, 2, 1}), {1, width_, grid_, grid_});
  x = layers_.conv_transpose(x, decoder_key("output_upscaling.0"), width_ / 4, 2);
  if (!f1.name.empty()) x = graph_.add(x, f1);
  x = graph_.gelu(layers_.map_norm(x, decoder_key("output_upscaling.1"), kMapEpsilon));
  x = layers_.conv_transpose(x, decoder_key("output_upscaling.3"), width_ / 8, 2);
  if (!f0.name.empty()) x = graph_.add(x, f0);
  return graph_.gelu(x);
}

OnnxValue SamDecoderParts::masks(const OnnxValue& tokens, int64_t first, const OnnxValue& map) {
  std::vector<OnnxValue> filters;
  for (int64_t index = 0; index < kMasks; ++index) {
    const std::string prefix = decoder_key("output_hypernetworks_mlps." + std::to_string(index));
    filters.push_back(layers_.mlp(graph_.slice(tokens, 1, first + index, first + index + 1),
                                  prefix,
                                  {width_, width_, width_ / 8},
                                  "Relu"));
  }
  const int64_t fine = 4 * grid_;
  return graph_.reshape(
      graph_.matmul(graph_.concat(filters, 1), graph_.reshape(map, {1, width_ / 8, fine * fine})),
      {1, kMasks, fine, fine});
}

OnnxValue SamDecoderParts::overlaps(const OnnxValue& tokens, int64_t index) {
  const std::string head = decoder_key("iou_prediction_head");
  const int64_t hidden = layers_.weights().shape(head + ".layers.0.bias").at(0);
  return graph_.reshape(
      layers_.mlp(
          graph_.slice(tokens, 1, index, index + 1), head, {hidden, hidden, kMasks}, "Relu"),
      {1, kMasks});
}

}  // namespace voxloom::engine
