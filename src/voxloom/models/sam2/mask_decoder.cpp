#include "voxloom/models/sam2/mask_decoder.h"

namespace voxloom::models::sam2 {
namespace {

/// Picks the mask and overlap that stand for a single answer. masks [B, 1 + M, h, w], ious
/// [B, 1 + M]; index 0 is the single-mask token's.
std::pair<at::Tensor, at::Tensor> stable_choice(const at::Tensor& masks,
                                                const at::Tensor& ious,
                                                const StabilityFallback& fallback) {
  const at::Tensor single = masks.select(1, 0).flatten(1);
  const at::Tensor inner = (single > fallback.delta).sum(1).to(torch::kFloat);
  const at::Tensor outer = (single > -fallback.delta).sum(1).to(torch::kFloat);
  const at::Tensor stability = at::where(outer > 0, inner / outer, at::ones_like(outer));
  const at::Tensor best = ious.slice(1, 1).argmax(1) + 1;
  const at::Tensor choice =
      at::where(stability >= fallback.threshold, at::zeros_like(best), best);  // [B]
  const at::Tensor rows = torch::arange(masks.size(0), choice.options());
  return {masks.index({rows, choice}).unsqueeze(1), ious.index({rows, choice}).unsqueeze(1)};
}

}  // namespace

MaskDecoderImpl::MaskDecoderImpl(const Sam2Options& options)
    : num_masks_(options.num_multimasks + 1) {
  const int64_t d = options.d_model;
  transformer = register_module("transformer", TwoWayTransformer(options));
  iou_token = register_module("iou_token", nn::Embedding(1, d));
  mask_tokens = register_module("mask_tokens", nn::Embedding(num_masks_, d));
  obj_score_token = register_module("obj_score_token", nn::Embedding(1, d));
  upscale0_ = nn::Upscale2d(d, d / 4, 2);
  upscale_norm_ = nn::LayerNorm2d(d / 4);
  upscale1_ = nn::Upscale2d(d / 4, d / 8, 2);
  output_upscaling = register_module(
      "output_upscaling", nn::Seq(upscale0_, upscale_norm_, nn::Gelu(), upscale1_, nn::Gelu()));
  if (options.high_res_features) {
    conv_s0 = register_module("conv_s0", nn::Conv2d(d, d / 8, nn::ConvOptions{}));
    conv_s1 = register_module("conv_s1", nn::Conv2d(d, d / 4, nn::ConvOptions{}));
  }
  output_hypernetworks_mlps = register_module("output_hypernetworks_mlps", torch::nn::ModuleList());
  for (int64_t i = 0; i < num_masks_; ++i) {
    hypernetworks_.emplace_back(std::vector<int64_t>{d, d, d, d / 8}, nn::Activation::kRelu);
    output_hypernetworks_mlps->push_back(hypernetworks_.back());
  }
  iou_prediction_head = register_module(
      "iou_prediction_head",
      nn::Mlp(std::vector<int64_t>{d, options.iou_hidden, options.iou_hidden, num_masks_},
              nn::Activation::kRelu));
  pred_obj_score_head = register_module(
      "pred_obj_score_head", nn::Mlp(std::vector<int64_t>{d, d, d, 1}, nn::Activation::kRelu));
}

DecodedMasks MaskDecoderImpl::forward(const at::Tensor& embedding,
                                      const at::Tensor& position,
                                      const at::Tensor& prompt_tokens,
                                      const at::Tensor& dense_prompt,
                                      const at::Tensor& f0,
                                      const at::Tensor& f1,
                                      bool multimask,
                                      const StabilityFallback& fallback) {
  const int64_t batch = embedding.size(0);
  const at::Tensor own =
      at::cat({obj_score_token->weight, iou_token->weight, mask_tokens->weight}, 0)
          .unsqueeze(0)
          .expand({batch, -1, -1});
  const auto [tokens, keys] =
      transformer(embedding + dense_prompt, position, at::cat({own, prompt_tokens}, 1));

  const at::Tensor mask_out = tokens.slice(1, 2, 2 + num_masks_);
  const at::Tensor map = keys.transpose(1, 2).reshape(embedding.sizes());
  at::Tensor up = upscale0_(map);
  if (f1.defined()) up = up + f1;
  up = upscale1_(at::gelu(upscale_norm_(up)));
  if (f0.defined()) up = up + f0;
  up = at::gelu(up);

  std::vector<at::Tensor> filters;
  for (int64_t i = 0; i < num_masks_; ++i) {
    filters.push_back(hypernetworks_[static_cast<size_t>(i)](mask_out.select(1, i)));
  }
  const at::Tensor masks = at::matmul(at::stack(filters, 1), up.flatten(2))
                               .view({batch, num_masks_, up.size(2), up.size(3)});
  const at::Tensor ious = iou_prediction_head(tokens.select(1, 1)).sigmoid();

  DecodedMasks out;
  out.score = pred_obj_score_head(tokens.select(1, 0));
  if (multimask) {
    out.masks = masks.slice(1, 1);
    out.ious = ious.slice(1, 1);
    out.tokens = mask_out.slice(1, 1);
    return out;
  }
  out.tokens = mask_out.slice(1, 0, 1);
  if (fallback.enabled && !is_training()) {
    std::tie(out.masks, out.ious) = stable_choice(masks, ious, fallback);
  } else {
    out.masks = masks.slice(1, 0, 1);
    out.ious = ious.slice(1, 0, 1);
  }
  return out;
}

}  // namespace voxloom::models::sam2
