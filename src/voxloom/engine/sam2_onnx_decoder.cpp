#include "voxloom/engine/sam2_onnx.h"
#include "voxloom/engine/sam_onnx_parts.h"

namespace voxloom::engine {

namespace {

constexpr int64_t kFirstMaskToken = 2;

class DecoderBuilder {
  static constexpr int64_t kMasks = SamDecoderParts::kMasks;

 public:
  DecoderBuilder(const models::sam2::Sam2Options& options, const weights::StateDict& state)
      : graph_("sam2_decoder", "SAM 2 prompt encoder and mask decoder (arXiv:2408.00714)"),
        weights_(state),
        layers_(graph_, weights_),
        parts_(layers_,
               {.prompt_prefix = "sam_prompt_encoder.",
                .decoder_prefix = "sam_mask_decoder.",
                .mlp_first = "mlp.layers.0",
                .mlp_second = "mlp.layers.1",
                .width = options.d_model,
                .image_size = options.image_size}),
        options_(options),
        width_(options.d_model),
        grid_(options.image_size / 16) {}

  OnnxGraph build() {
    declare_inputs();
    decode();
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

  void decode() {
    const OnnxValue points = parts_.embed_points(coords_, labels_);
    const OnnxValue sparse = graph_.concat({points, parts_.padding_point()}, 1);
    const OnnxValue dense = parts_.embed_mask(mask_, has_mask_);
    graph_.set_scope("tokens");
    const OnnxValue learned = parts_.learned_tokens({parts_.decoder_key("obj_score_token.weight"),
                                                     parts_.decoder_key("iou_token.weight"),
                                                     parts_.decoder_key("mask_tokens.weight")});
    OnnxValue tokens = graph_.concat({learned, sparse}, 1);
    const int64_t area = grid_ * grid_;
    OnnxValue image =
        graph_.transpose(graph_.reshape(graph_.add(f2_, dense), {1, width_, area}), {0, 2, 1});
    parts_.transform(tokens, image);

    const OnnxValue map = parts_.upscale(image, f1_, f0_);
    graph_.set_scope("heads");
    const OnnxValue masks = parts_.masks(tokens, kFirstMaskToken, map);
    const OnnxValue ious = graph_.unary("Sigmoid", parts_.overlaps(tokens, 1));
    const OnnxValue score = graph_.reshape(layers_.mlp(graph_.slice(tokens, 1, 0, 1),
                                                       parts_.decoder_key("pred_obj_score_head"),
                                                       {width_, width_, 1},
                                                       "Relu"),
                                           {1, 1});
    const OnnxValue pointers =
        layers_.mlp(graph_.slice(tokens, 1, kFirstMaskToken, kFirstMaskToken + kMasks),
                    "obj_ptr_proj",
                    {width_, width_, width_},
                    "Relu");

    const int64_t fine = 4 * grid_;
    graph_.output(masks, "masks", {int64_t{1}, kMasks, fine, fine}, "logits of the four masks");
    graph_.output(ious, "ious", {int64_t{1}, kMasks}, "predicted overlap of each mask");
    graph_.output(score, "object_score", {int64_t{1}, int64_t{1}}, "logit; <= 0: object absent");
    graph_.output(pointers, "pointers", {int64_t{1}, kMasks, width_}, "object pointer per mask");
  }

  OnnxGraph graph_;
  OnnxWeights weights_;
  OnnxLayers layers_;
  SamDecoderParts parts_;
  const models::sam2::Sam2Options& options_;
  const int64_t width_, grid_;
  OnnxValue f0_, f1_, f2_, coords_, labels_, mask_, has_mask_;
};

}  // namespace

OnnxGraph sam2_decoder_graph(const models::sam2::Sam2Options& options,
                             const weights::StateDict& state) {
  return DecoderBuilder(options, state).build();
}

}  // namespace voxloom::engine
