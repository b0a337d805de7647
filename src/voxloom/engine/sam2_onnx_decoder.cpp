#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/onnx_weights.h"
#include "voxloom/engine/sam2_onnx.h"

namespace voxloom::engine {

namespace {

constexpr int64_t kHeads = 8, kMasks = 4, kFirstMaskToken = 2;
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

class DecoderBuilder {
 public:
  DecoderBuilder(const models::sam2::Sam2Options& options, const weights::StateDict& state)
      : graph_("sam2_decoder", "SAM 2 prompt encoder and mask decoder (arXiv:2408.00714)"),
        weights_(state),
        layers_(graph_, weights_),
        options_(options),
        width_(options.d_model),
        size_(options.image_size),
        grid_(options.image_size / 16) {}

  OnnxGraph build() {
    declare_inputs();
    const OnnxValue sparse = sparse_prompt();
    const OnnxValue dense = dense_prompt();
    decode(sparse, dense);
    return std::move(graph_);
  }

 private:
  void declare_inputs() {
    const int64_t g = grid_;
    if (options_.high_res_features) {
      f0_ = graph_.input("f0",
                         OnnxType::kF32,
                         {int64_t{1}, width_ / 8, 4 * g, 4 * g},
                         "fine features of the encoder");
      f1_ = graph_.input("f1",
                         OnnxType::kF32,
                         {int64_t{1}, width_ / 4, 2 * g, 2 * g},
                         "middle features of the encoder");
    }
    f2_ = graph_.input("f2",
                       OnnxType::kF32,
                       {int64_t{1}, width_, g, g},
                       "coarse features, conditioned on memory or with no_mem_embed added");
    coords_ = graph_.input("point_coords",
                           OnnxType::kF32,
                           {int64_t{1}, std::string("num_points"), int64_t{2}},
                           "(x, y) in pixels of the model's image");
    labels_ = graph_.input("point_labels",
                           OnnxType::kF32,
                           {int64_t{1}, std::string("num_points")},
                           "1 positive, 0 negative, 2 and 3 box corners, -1 padding");
    mask_ = graph_.input("mask_input",
                         OnnxType::kF32,
                         {int64_t{1}, int64_t{1}, 4 * g, 4 * g},
                         "logits of an earlier mask");
    has_mask_ = graph_.input(
        "has_mask_input", OnnxType::kF32, {int64_t{1}}, "1: use mask_input, 0: ignore it");
  }

  std::string prompt_key(const std::string& name) const { return "sam_prompt_encoder." + name; }
  std::string decoder_key(const std::string& name) const { return "sam_mask_decoder." + name; }

  // Fourier features of coordinates within [0, 1] (Tancik et al. 2020, arXiv:2006.10739).
  OnnxValue sparse_prompt() {
    graph_.set_scope("prompt");
    const auto size = static_cast<float>(size_);
    // 2 (x + 0.5) / S - 1: pixel centres within [-1, 1].
    const OnnxValue unit =
        graph_.div(graph_.add(coords_, graph_.scalar(0.5F)), graph_.scalar(size));
    const OnnxValue centred =
        graph_.sub(graph_.mul(unit, graph_.scalar(2.0F)), graph_.scalar(1.0F));
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
    const OnnxValue table = graph_.initializer("point_table", stack_rows(weights_, keys, width_));
    const OnnxValue row = graph_.add(labels_, graph_.scalar(1.0F));
    const OnnxValue kind = graph_.gather(table, graph_.cast(row, OnnxType::kI64), 0);
    const OnnxValue real_point = graph_.reshape(graph_.clip(row, 0.0F, 1.0F), {1, -1, 1});
    const OnnxValue points = graph_.add(graph_.mul(features, real_point), kind);
    const OnnxValue padding = graph_.initializer(
        "padding_point",
        OnnxTensor::own({1, 1, width_}, values_of(weights_.tensor(keys[0], {1, width_}))));
    return graph_.concat({points, padding}, 1);
  }

  // -> [1, d, g, g]
  OnnxValue dense_prompt() {
    graph_.set_scope("prompt/mask");
    OnnxValue x = layers_.conv(mask_, prompt_key("mask_downscaling.0"), 4, 2, 2, 0);
    x = graph_.gelu(layers_.map_norm(x, prompt_key("mask_downscaling.1"), kMapEpsilon));
    x = layers_.conv(x, prompt_key("mask_downscaling.3"), 16, 2, 2, 0);
    x = graph_.gelu(layers_.map_norm(x, prompt_key("mask_downscaling.4"), kMapEpsilon));
    x = layers_.conv(x, prompt_key("mask_downscaling.6"), width_, 1, 1, 0);
    const OnnxValue none = graph_.initializer(
        "no_mask",
        OnnxTensor::own(
            {1, width_, 1, 1},
            values_of(weights_.tensor(prompt_key("no_mask_embed.weight"), {1, width_}))));
    // Where() keeps whatever an ignored mask holds (NaN included) out of the result.
    const OnnxValue given =
        graph_.node("Greater", {has_mask_, graph_.scalar(0.5F)}, OnnxType::kBool, has_mask_.shape);
    return graph_.node("Where", {given, x, none}, OnnxType::kF32, x.shape);
  }

  // Position features of the g x g grid as rows [1, g*g, d]; a constant.
  OnnxValue grid_position() {
    const OnnxTensor matrix = weights_.tensor(
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

  OnnxValue heads(const OnnxValue& x, const std::vector<int64_t>& order) {
    return graph_.transpose(graph_.reshape(x, {1, -1, kHeads, x.size(-1) / kHeads}), order);
  }

  OnnxValue attention(const std::string& prefix,
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

  OnnxValue norm(const OnnxValue& x, const std::string& prefix) {
    return layers_.norm(x, prefix, kTokenEpsilon);
  }

  // The two-way transformer: tokens and image attend to each other (arXiv:2304.02643, fig. 14).
  void transform(OnnxValue& tokens, OnnxValue& image) {
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
          attention(
              prefix + ".cross_attn_token_to_image", placed(tokens), keys, image, width_ / 2));
      tokens = norm(tokens, prefix + ".norm2");
      const int64_t hidden = weights_.shape(prefix + ".mlp.layers.0.bias").at(0);
      tokens = graph_.add(tokens, layers_.mlp(tokens, prefix + ".mlp", {hidden, width_}, "Relu"));
      tokens = norm(tokens, prefix + ".norm3");
      image = graph_.add(
          image,
          attention(
              prefix + ".cross_attn_image_to_token", keys, placed(tokens), tokens, width_ / 2));
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

  // rows [1, g*g, d] -> [1, d/8, 4g, 4g]
  OnnxValue upscale(const OnnxValue& rows) {
    graph_.set_scope("upscale");
    OnnxValue x = graph_.reshape(graph_.transpose(rows, {0, 2, 1}), {1, width_, grid_, grid_});
    x = layers_.conv_transpose(x, decoder_key("output_upscaling.0"), width_ / 4, 2);
    if (options_.high_res_features) x = graph_.add(x, f1_);
    x = graph_.gelu(layers_.map_norm(x, decoder_key("output_upscaling.1"), kMapEpsilon));
    x = layers_.conv_transpose(x, decoder_key("output_upscaling.3"), width_ / 8, 2);
    if (options_.high_res_features) x = graph_.add(x, f0_);
    return graph_.gelu(x);
  }

  void decode(const OnnxValue& sparse, const OnnxValue& dense) {
    graph_.set_scope("tokens");
    OnnxTensor learned = stack_rows(weights_,
                                    {decoder_key("obj_score_token.weight"),
                                     decoder_key("iou_token.weight"),
                                     decoder_key("mask_tokens.weight")},
                                    width_);
    learned.shape = {1, kFirstMaskToken + kMasks, width_};
    OnnxValue tokens = graph_.concat({graph_.initializer("output_tokens", learned), sparse}, 1);
    const int64_t area = grid_ * grid_;
    OnnxValue image =
        graph_.transpose(graph_.reshape(graph_.add(f2_, dense), {1, width_, area}), {0, 2, 1});
    transform(tokens, image);

    const OnnxValue map = upscale(image);
    graph_.set_scope("heads");
    const auto token = [&](int64_t at, int64_t count) {
      return graph_.slice(tokens, 1, at, at + count);
    };
    std::vector<OnnxValue> filters;
    for (int64_t index = 0; index < kMasks; ++index) {
      const std::string prefix = decoder_key("output_hypernetworks_mlps." + std::to_string(index));
      filters.push_back(layers_.mlp(
          token(kFirstMaskToken + index, 1), prefix, {width_, width_, width_ / 8}, "Relu"));
    }
    const int64_t fine = 4 * grid_;
    const OnnxValue masks = graph_.reshape(
        graph_.matmul(graph_.concat(filters, 1), graph_.reshape(map, {1, width_ / 8, fine * fine})),
        {1, kMasks, fine, fine});
    const std::string iou = decoder_key("iou_prediction_head");
    const int64_t hidden = weights_.shape(iou + ".layers.0.bias").at(0);
    const OnnxValue ious =
        graph_.unary("Sigmoid",
                     graph_.reshape(layers_.mlp(token(1, 1), iou, {hidden, hidden, kMasks}, "Relu"),
                                    {1, kMasks}));
    const OnnxValue score = graph_.reshape(
        layers_.mlp(token(0, 1), decoder_key("pred_obj_score_head"), {width_, width_, 1}, "Relu"),
        {1, 1});
    const OnnxValue pointers = layers_.mlp(
        token(kFirstMaskToken, kMasks), "obj_ptr_proj", {width_, width_, width_}, "Relu");

    graph_.output(masks, "masks", {int64_t{1}, kMasks, fine, fine}, "logits of the four masks");
    graph_.output(ious, "ious", {int64_t{1}, kMasks}, "predicted overlap of each mask");
    graph_.output(score, "object_score", {int64_t{1}, int64_t{1}}, "logit; <= 0: object absent");
    graph_.output(pointers, "pointers", {int64_t{1}, kMasks, width_}, "object pointer per mask");
  }

  OnnxGraph graph_;
  OnnxWeights weights_;
  OnnxLayers layers_;
  const models::sam2::Sam2Options& options_;
  const int64_t width_, size_, grid_;
  OnnxValue f0_, f1_, f2_, coords_, labels_, mask_, has_mask_;
};

}  // namespace

OnnxGraph sam2_decoder_graph(const models::sam2::Sam2Options& options,
                             const weights::StateDict& state) {
  return DecoderBuilder(options, state).build();
}

}  // namespace voxloom::engine
