#pragma once

#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/options.h"
#include "voxloom/nn/constant_cache.h"
#include "voxloom/nn/layers.h"
#include "voxloom/nn/seq.h"

namespace voxloom::models::sam2 {

/// Random Fourier features with the stored matrix. Key: positional_encoding_gaussian_matrix.
class FourierPositionImpl : public torch::nn::Module {
 public:
  explicit FourierPositionImpl(int64_t channels);
  /// xy [..., 2] in [0, 1] -> [..., channels].
  at::Tensor forward(const at::Tensor& xy);

  at::Tensor positional_encoding_gaussian_matrix;
};
TORCH_MODULE(FourierPosition);

/// Labels of prompt points.
enum PointLabel : int64_t {
  kNotAPoint = -1,
  kNegative = 0,
  kPositive = 1,
  kBoxTopLeft = 2,
  kBoxBottomRight = 3,
};

/// Turns points and masks into embeddings (Kirillov et al. 2023, arXiv:2304.02643, appendix A).
/// Keys: pe_layer, point_embeddings.0-3, not_a_point_embed, mask_downscaling, no_mask_embed.
class PromptEncoderImpl : public torch::nn::Module {
 public:
  explicit PromptEncoderImpl(const Sam2Options& options);

  /// Points [B, P, 2] in model pixels (x, y) and labels [B, P] -> tokens [B, P + 1, C]; a "not a
  /// point" token is always appended. Half a model pixel is added to every coordinate.
  at::Tensor embed_points(const at::Tensor& points, const at::Tensor& labels);

  /// Mask logits [B, 1, 4g, 4g] -> [B, C, g, g].
  at::Tensor embed_mask(const at::Tensor& mask);
  /// The embedding for "no mask", [1, C, 1, 1].
  at::Tensor no_mask();

  /// Position of every cell of a g x g grid: [1, C, g, g].
  at::Tensor dense_position(int64_t grid);

  FourierPosition pe_layer{nullptr};
  torch::nn::ModuleList point_embeddings{nullptr};
  nn::Embedding not_a_point_embed{nullptr};
  nn::Seq mask_downscaling{nullptr};
  nn::Embedding no_mask_embed{nullptr};

 private:
  int64_t image_size_;
  std::vector<nn::Embedding> point_tables_;
  nn::ConstantCache cache_;
};
TORCH_MODULE(PromptEncoder);

}  // namespace voxloom::models::sam2
