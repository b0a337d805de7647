#include "voxloom/engine/sam_med2d_onnx.h"
#include "voxloom/engine/sam_onnx_parts.h"

namespace voxloom::engine {

namespace {

constexpr int64_t kMasks = SamDecoderParts::kMasks;

/// Bilinear, corners of the picture on corners of the map, without smoothing: PyTorch's
/// interpolate() with align_corners=False.
OnnxValue resize(
    OnnxGraph& graph, const OnnxValue& x, const OnnxValue& size, int64_t height, int64_t width) {
  return graph.node("Resize",
                    {x, OnnxValue{}, OnnxValue{}, size},
                    x.type,
                    {x.size(0), x.size(1), height, width},
                    {{"mode", std::string("linear")},
                     {"coordinate_transformation_mode", std::string("half_pixel")}});
}

}  // namespace

OnnxGraph sam_med2d_decoder_graph(const models::sam_med2d::SamMed2dOptions& options,
                                  const weights::StateDict& state) {
  options.validate();
  const int64_t d = options.d_model, g = options.grid(), fine = options.mask_size();
  OnnxGraph graph("sam_med2d_decoder",
                  "SAM-Med2D prompt encoder and mask decoder (arXiv:2308.16184)");
  const std::string points = "num_points", height = "height", width = "width";
  const OnnxValue embedding =
      graph.input(kSamMed2dEmbedding, OnnxType::kF32, {int64_t{1}, d, g, g}, "of the encoder");
  const OnnxValue coords = graph.input("point_coords",
                                       OnnxType::kF32,
                                       {int64_t{1}, points, int64_t{2}},
                                       "(x, y) in pixels of the model's image");
  const OnnxValue labels = graph.input("point_labels",
                                       OnnxType::kF32,
                                       {int64_t{1}, points},
                                       "1 positive, 0 negative, 2 and 3 box corners, -1 padding");
  const OnnxValue mask = graph.input("mask_input",
                                     OnnxType::kF32,
                                     {int64_t{1}, int64_t{1}, fine, fine},
                                     "probabilities of an earlier mask");
  const OnnxValue has_mask = graph.input(
      "has_mask_input", OnnxType::kF32, {int64_t{1}}, "1: use mask_input, 0: ignore it");
  const OnnxValue picture =
      graph.input("orig_im_size", OnnxType::kF32, {int64_t{2}}, "height and width of the picture");

  const OnnxWeights weights(state);
  OnnxLayers layers(graph, weights);
  SamDecoderParts parts(layers,
                        {.prompt_prefix = "prompt_encoder.",
                         .decoder_prefix = "mask_decoder.",
                         .mlp_first = "mlp.lin1",
                         .mlp_second = "mlp.lin2",
                         .width = d,
                         .image_size = options.image_size});
  const OnnxValue prompt = parts.embed_points(coords, labels);
  const OnnxValue dense = parts.embed_mask(mask, has_mask);
  graph.set_scope("tokens");
  const OnnxValue learned = parts.learned_tokens(
      {parts.decoder_key("iou_token.weight"), parts.decoder_key("mask_tokens.weight")});
  OnnxValue tokens = graph.concat({learned, prompt}, 1);
  OnnxValue image =
      graph.transpose(graph.reshape(graph.add(embedding, dense), {1, d, g * g}), {0, 2, 1});
  parts.transform(tokens, image);
  const OnnxValue map = parts.upscale(image, {}, {});
  graph.set_scope("heads");
  const OnnxValue low = parts.masks(tokens, 1, map);
  const OnnxValue ious = parts.overlaps(tokens, 0);

  graph.set_scope("resize");
  const int64_t size = options.image_size;
  const OnnxValue square = resize(graph, low, graph.ints({1, kMasks, size, size}), size, size);
  const OnnxValue wanted =
      graph.concat({graph.ints({1, kMasks}), graph.cast(picture, OnnxType::kI64)}, 0);
  const OnnxValue full = resize(graph, square, wanted, -1, -1);
  graph.set_scope("");
  graph.output(full, "masks", {int64_t{1}, kMasks, height, width}, "logits; above 0: the object");
  graph.output(ious, "iou_predictions", {int64_t{1}, kMasks}, "predicted overlap of each mask");
  graph.output(low, "low_res_masks", {int64_t{1}, kMasks, fine, fine}, "logits before resizing");
  return graph;
}

}  // namespace voxloom::engine
