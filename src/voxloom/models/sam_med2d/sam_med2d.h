#pragma once

#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/prompt_encoder.h"
#include "voxloom/models/sam2/two_way_transformer.h"
#include "voxloom/models/sam_med2d/image_encoder.h"
#include "voxloom/models/sam_med2d/options.h"
#include "voxloom/tensor/load.h"

namespace voxloom::models::sam_med2d {

/// What a prompt gave. Mask 0 is the single mask, 1 to 3 compete.
struct DecodedMasks {
  at::Tensor low;   ///< [B, 4, 4g, 4g] logits.
  at::Tensor ious;  ///< [B, 4] predicted overlap; this network's head has no sigmoid.

  /// Of the competing masks the one with the highest predicted overlap: 1, 2 or 3.
  [[nodiscard]] int64_t best(int64_t image = 0) const;
};

/// SAM's first mask decoder. Keys: transformer, iou_token, mask_tokens, output_upscaling,
/// output_hypernetworks_mlps, iou_prediction_head.
class MaskDecoderImpl : public torch::nn::Module {
 public:
  explicit MaskDecoderImpl(const SamMed2dOptions& options);

  /// embedding [B, C, g, g], its position [1, C, g, g], prompt tokens [B, P, C], dense prompt
  /// [B or 1, C, g or 1, g or 1].
  DecodedMasks forward(const at::Tensor& embedding,
                       const at::Tensor& position,
                       const at::Tensor& prompt_tokens,
                       const at::Tensor& dense_prompt);

  sam2::TwoWayTransformer transformer{nullptr};
  nn::Embedding iou_token{nullptr}, mask_tokens{nullptr};
  nn::Seq output_upscaling{nullptr};
  torch::nn::ModuleList output_hypernetworks_mlps{nullptr};
  nn::Mlp iou_prediction_head{nullptr};

 private:
  std::vector<nn::Mlp> hypernetworks_;
};
TORCH_MODULE(MaskDecoder);

/// Points as the decoder takes them, in pixels of the S x S image.
struct PromptTokens {
  at::Tensor coords;  ///< [1, N, 2] float32, (x, y).
  at::Tensor labels;  ///< [1, N] float32, see sam2::PointLabel.
};

/// Coordinates and labels with the original's padding rule: points without a box get one point
/// (0, 0) labelled "not a point" after them; a box, and no point at all, get none.
[[nodiscard]] PromptTokens with_padding_rule(std::vector<float> xy, std::vector<float> labels);

/// SAM-Med2D; member names are checkpoint keys. Weights are undefined until loaded. Takes and
/// gives float32; set eval() for inference and hold a NoGradGuard.
class SamMed2dImpl : public torch::nn::Module {
 public:
  explicit SamMed2dImpl(const SamMed2dOptions& options);

  /// image [B, 3, S, S], normalised -> [B, C, g, g].
  at::Tensor encode_image(const at::Tensor& image);

  /// embedding [1, C, g, g]; points exactly as given (with_padding_rule() is the caller's), N may
  /// be 0; mask [1, 1, 4g, 4g] (undefined: none) holds probabilities of an earlier answer.
  DecodedMasks decode(const at::Tensor& embedding,
                      const PromptTokens& points,
                      const at::Tensor& mask);

  const SamMed2dOptions options;
  ImageEncoder image_encoder{nullptr};
  sam2::PromptEncoder prompt_encoder{nullptr};
  MaskDecoder mask_decoder{nullptr};
};
TORCH_MODULE(SamMed2d);

/// Logits [B, K, 4g, 4g] at the size of the picture, as the original does it: bilinear to S x S,
/// then bilinear to height x width.
[[nodiscard]] at::Tensor masks_at_size(const at::Tensor& low,
                                       int64_t image_size,
                                       int64_t height,
                                       int64_t width);

/// The network of `state`. Throws kDataCorrupt, naming every key that does not fit.
[[nodiscard]] SamMed2d load_sam_med2d(const SamMed2dOptions& options,
                                      const weights::StateDict& state,
                                      const std::string& file_name,
                                      tensor::LoadMode mode);

}  // namespace voxloom::models::sam_med2d
