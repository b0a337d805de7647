#include "voxloom/models/sam_med2d/sam_med2d.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam_med2d {
namespace {

/// The parts that SAM 1 and 2 share, as the latter's options name them.
sam2::Sam2Options shared_parts(const SamMed2dOptions& options) {
  sam2::Sam2Options o;
  o.variant = variant_name(options);
  o.image_size = options.image_size;
  o.d_model = options.d_model;
  o.decoder_heads = kDecoderHeads;
  o.decoder_layers = kDecoderLayers;
  o.decoder_mlp = options.decoder_mlp;
  return o;
}

}  // namespace

int64_t DecodedMasks::best(int64_t image) const {
  return ious[image].slice(0, 1).argmax(0).item<int64_t>() + 1;
}

MaskDecoderImpl::MaskDecoderImpl(const SamMed2dOptions& options) {
  const int64_t d = options.d_model;
  transformer = register_module("transformer", sam2::TwoWayTransformer(shared_parts(options)));
  for (size_t i = 0; i < transformer->layers->size(); ++i) {
    name_as_lin(transformer->layers->at<sam2::TwoWayLayerImpl>(i).mlp);
  }
  iou_token = register_module("iou_token", nn::Embedding(1, d));
  mask_tokens = register_module("mask_tokens", nn::Embedding(kMasks, d));
  output_upscaling = register_module("output_upscaling",
                                     nn::Seq(nn::Upscale2d(d, d / 4, 2),
                                             nn::LayerNorm2d(d / 4),
                                             nn::Gelu(),
                                             nn::Upscale2d(d / 4, d / 8, 2),
                                             nn::Gelu()));
  output_hypernetworks_mlps = register_module("output_hypernetworks_mlps", torch::nn::ModuleList());
  for (int64_t i = 0; i < kMasks; ++i) {
    hypernetworks_.emplace_back(std::vector<int64_t>{d, d, d, d / 8}, nn::Activation::kRelu);
    output_hypernetworks_mlps->push_back(hypernetworks_.back());
  }
  iou_prediction_head = register_module(
      "iou_prediction_head",
      nn::Mlp(std::vector<int64_t>{d, options.iou_hidden, options.iou_hidden, kMasks},
              nn::Activation::kRelu));
}

DecodedMasks MaskDecoderImpl::forward(const at::Tensor& embedding,
                                      const at::Tensor& position,
                                      const at::Tensor& prompt_tokens,
                                      const at::Tensor& dense_prompt) {
  const int64_t batch = embedding.size(0);
  const at::Tensor own =
      at::cat({iou_token->weight, mask_tokens->weight}, 0).unsqueeze(0).expand({batch, -1, -1});
  const auto [tokens, keys] =
      transformer(embedding + dense_prompt, position, at::cat({own, prompt_tokens}, 1));
  const at::Tensor up =
      output_upscaling(keys.transpose(1, 2).reshape(embedding.sizes()));  // [B, C/8, 4g, 4g]
  std::vector<at::Tensor> filters;
  for (int64_t i = 0; i < kMasks; ++i) {
    filters.push_back(hypernetworks_[static_cast<size_t>(i)](tokens.select(1, 1 + i)));
  }
  return {at::matmul(at::stack(filters, 1), up.flatten(2))
              .view({batch, kMasks, up.size(2), up.size(3)}),
          iou_prediction_head(tokens.select(1, 0))};
}

PromptTokens with_padding_rule(std::vector<float> xy, std::vector<float> labels) {
  VOXLOOM_CHECK(xy.size() == 2 * labels.size(),
                ErrorCode::kInvalidArgument,
                "sam-med2d: every point must have x, y and a label, got {} numbers and {} labels",
                xy.size(),
                labels.size());
  const bool box = std::any_of(labels.begin(), labels.end(), [](float label) {
    return label >= static_cast<float>(sam2::kBoxTopLeft);
  });
  if (!labels.empty() && !box) {
    xy.insert(xy.end(), {0.0F, 0.0F});
    labels.push_back(static_cast<float>(sam2::kNotAPoint));
  }
  const auto count = static_cast<int64_t>(labels.size());
  return {torch::tensor(xy, torch::kFloat).view({1, count, 2}),
          torch::tensor(labels, torch::kFloat).view({1, count})};
}

SamMed2dImpl::SamMed2dImpl(const SamMed2dOptions& network_options) : options(network_options) {
  options.validate();
  image_encoder = register_module("image_encoder", ImageEncoder(options));
  prompt_encoder = register_module("prompt_encoder", sam2::PromptEncoder(shared_parts(options)));
  mask_decoder = register_module("mask_decoder", MaskDecoder(options));
}

at::Tensor SamMed2dImpl::encode_image(const at::Tensor& image) {
  const int64_t size = options.image_size;
  VOXLOOM_CHECK(
      image.dim() == 4 && image.size(1) == 3 && image.size(2) == size && image.size(3) == size,
      ErrorCode::kInvalidArgument,
      "sam-med2d: the image must be [B, 3, {}, {}], got {}",
      size,
      size,
      tensor::shape_str(image));
  return image_encoder(image);
}

DecodedMasks SamMed2dImpl::decode(const at::Tensor& embedding,
                                  const PromptTokens& points,
                                  const at::Tensor& mask) {
  const int64_t grid = options.grid(), fine = options.mask_size();
  VOXLOOM_CHECK(embedding.dim() == 4 && embedding.size(0) == 1 &&
                    embedding.size(1) == options.d_model && embedding.size(2) == grid &&
                    embedding.size(3) == grid,
                ErrorCode::kInvalidArgument,
                "sam-med2d: the embedding must be [1, {}, {}, {}], got {}",
                options.d_model,
                grid,
                grid,
                tensor::shape_str(embedding));
  VOXLOOM_CHECK(!mask.defined() || (mask.dim() == 4 && mask.size(0) == 1 && mask.size(1) == 1 &&
                                    mask.size(2) == fine && mask.size(3) == fine),
                ErrorCode::kInvalidArgument,
                "sam-med2d: a mask prompt must be [1, 1, {}, {}], got {}",
                fine,
                fine,
                tensor::shape_str(mask));
  // SAM 2's encoder always adds a padding token, at the end.
  const at::Tensor tokens =
      prompt_encoder->embed_points(points.coords, points.labels).slice(1, 0, points.coords.size(1));
  return mask_decoder(
      embedding,
      prompt_encoder->dense_position(grid),
      tokens,
      mask.defined() ? prompt_encoder->embed_mask(mask) : prompt_encoder->no_mask());
}

at::Tensor masks_at_size(const at::Tensor& low, int64_t image_size, int64_t height, int64_t width) {
  return sam2::resize_logits(sam2::resize_logits(low, image_size, image_size), height, width);
}

SamMed2d load_sam_med2d(const SamMed2dOptions& options,
                        const weights::StateDict& state,
                        const std::string& file_name,
                        tensor::LoadMode mode) {
  const tensor::KeyDiff diff = tensor::diff_keys(expected_keys(options), state);
  VOXLOOM_CHECK(diff.empty(),
                ErrorCode::kDataCorrupt,
                "'{}': the keys must be those of '{}', got {}",
                file_name,
                variant_name(options),
                diff.describe());
  SamMed2d model(options);
  tensor::load_state_dict(*model, state, file_name, mode);
  model->eval();
  for (at::Tensor& parameter : model->parameters()) parameter.requires_grad_(false);
  return model;
}

}  // namespace voxloom::models::sam_med2d
