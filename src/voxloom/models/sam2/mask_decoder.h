#pragma once

#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/models/sam2/two_way_transformer.h"
#include "voxloom/nn/layers.h"
#include "voxloom/nn/seq.h"

namespace voxloom::models::sam2 {

/// When one mask is asked for: how the decoder guards against an unstable one.
struct StabilityFallback {
  bool enabled = true;      ///< Off: always the single-mask token's mask.
  double delta = 0.05;      ///< Stability is area(m > delta) / area(m > -delta).
  double threshold = 0.98;  ///< Below it, the best of the three competing masks is taken.
};

struct DecodedMasks {
  at::Tensor masks;   ///< [B, M, 4g, 4g] logits; M = 3 when several compete, else 1.
  at::Tensor ious;    ///< [B, M] predicted overlap of each mask.
  at::Tensor tokens;  ///< [B, M, C] output token of each mask.
  at::Tensor score;   ///< [B, 1] logit that the object is there.
};

/// Mask decoder of SAM 2. Keys: transformer, iou_token, mask_tokens, obj_score_token,
/// output_upscaling, conv_s0, conv_s1, output_hypernetworks_mlps, iou_prediction_head,
/// pred_obj_score_head.
class MaskDecoderImpl : public torch::nn::Module {
 public:
  explicit MaskDecoderImpl(const Sam2Options& options);

  /// embedding [B, C, g, g], its position [1, C, g, g], prompt tokens [B, P, C], dense prompt
  /// [B or 1, C, g or 1, g or 1]; f0 [B, C/8, 4g, 4g] and f1 [B, C/4, 2g, 2g] are the finer
  /// features after conv_s0 / conv_s1, undefined for networks without them.
  /// With one mask and the fallback in use, `masks` may come from a competing token while
  /// `tokens` stays that of the single mask, as in the original.
  DecodedMasks forward(const at::Tensor& embedding,
                       const at::Tensor& position,
                       const at::Tensor& prompt_tokens,
                       const at::Tensor& dense_prompt,
                       const at::Tensor& f0,
                       const at::Tensor& f1,
                       bool multimask,
                       const StabilityFallback& fallback);

  TwoWayTransformer transformer{nullptr};
  nn::Embedding iou_token{nullptr}, mask_tokens{nullptr}, obj_score_token{nullptr};
  nn::Seq output_upscaling{nullptr};
  nn::Conv2d conv_s0{nullptr}, conv_s1{nullptr};
  torch::nn::ModuleList output_hypernetworks_mlps{nullptr};
  nn::Mlp iou_prediction_head{nullptr}, pred_obj_score_head{nullptr};

 private:
  int64_t num_masks_;  ///< All mask tokens: one single and the competing ones.
  nn::Upscale2d upscale0_{nullptr}, upscale1_{nullptr};
  nn::LayerNorm2d upscale_norm_{nullptr};
  std::vector<nn::Mlp> hypernetworks_;
};
TORCH_MODULE(MaskDecoder);

}  // namespace voxloom::models::sam2
