#include "voxloom/models/sam2/prompt_encoder.h"

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/position.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {

FourierPositionImpl::FourierPositionImpl(int64_t channels) {
  positional_encoding_gaussian_matrix =
      register_buffer("positional_encoding_gaussian_matrix", torch::zeros({2, channels / 2}));
}

at::Tensor FourierPositionImpl::forward(const at::Tensor& xy) {
  const nn::FullPrecisionGuard full;  // half precision would move the prompts by pixels
  return fourier_position(nn::to_full(xy), positional_encoding_gaussian_matrix);
}

PromptEncoderImpl::PromptEncoderImpl(const Sam2Options& options) : image_size_(options.image_size) {
  const int64_t d = options.d_model;
  pe_layer = register_module("pe_layer", FourierPosition(d));
  point_embeddings = register_module("point_embeddings", torch::nn::ModuleList());
  for (int i = 0; i < 4; ++i) {
    point_tables_.emplace_back(1, d);
    point_embeddings->push_back(point_tables_.back());
  }
  not_a_point_embed = register_module("not_a_point_embed", nn::Embedding(1, d));
  const int64_t c = options.mask_prompt_channels;
  const nn::ConvOptions halve{.kernel = 2, .stride = 2};
  mask_downscaling = register_module("mask_downscaling",
                                     nn::Seq(nn::Conv2d(1, c / 4, halve),
                                             nn::LayerNorm2d(c / 4),
                                             nn::Gelu(),
                                             nn::Conv2d(c / 4, c, halve),
                                             nn::LayerNorm2d(c),
                                             nn::Gelu(),
                                             nn::Conv2d(c, d, nn::ConvOptions{})));
  no_mask_embed = register_module("no_mask_embed", nn::Embedding(1, d));
}

at::Tensor PromptEncoderImpl::embed_points(const at::Tensor& points, const at::Tensor& labels) {
  VOXLOOM_CHECK(points.dim() == 3 && points.size(2) == 2 && labels.dim() == 2 &&
                    labels.size(0) == points.size(0) && labels.size(1) == points.size(1),
                ErrorCode::kInvalidArgument,
                "prompt encoder: points must be [B, P, 2] with labels [B, P], got {} and {}",
                tensor::shape_str(points),
                tensor::shape_str(labels));
  const int64_t batch = points.size(0);
  const at::Tensor xy = at::cat({points + 0.5, points.new_zeros({batch, 1, 2})}, 1);
  const at::Tensor kinds =
      at::cat({labels.to(torch::kLong),
               at::full({batch, 1}, kNotAPoint, labels.options().dtype(torch::kLong))},
              1);
  at::Tensor position = pe_layer(xy / static_cast<double>(image_size_));
  position = position * (kinds != kNotAPoint).unsqueeze(2);
  const at::Tensor table = at::cat({not_a_point_embed->weight,
                                    point_tables_[0]->weight,
                                    point_tables_[1]->weight,
                                    point_tables_[2]->weight,
                                    point_tables_[3]->weight},
                                   0);
  return position + at::embedding(table, kinds + 1);
}

at::Tensor PromptEncoderImpl::embed_mask(const at::Tensor& mask) {
  return mask_downscaling(mask);
}

at::Tensor PromptEncoderImpl::no_mask() {
  return no_mask_embed->weight.view({1, -1, 1, 1});
}

at::Tensor PromptEncoderImpl::dense_position(int64_t grid) {
  nn::ConstantCache::Key key{grid};
  const at::Tensor& matrix = pe_layer->positional_encoding_gaussian_matrix;
  nn::ConstantCache::append_fingerprint(key, matrix);
  return cache_.get(key, [&] {
    const at::Tensor centre =
        (torch::arange(grid, matrix.options()) + 0.5) / static_cast<double>(grid);
    const at::Tensor xy = at::stack(
        {centre.unsqueeze(0).expand({grid, grid}), centre.unsqueeze(1).expand({grid, grid})}, 2);
    return pe_layer(xy).permute({2, 0, 1}).unsqueeze(0).contiguous();
  });
}

}  // namespace voxloom::models::sam2
