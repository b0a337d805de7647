#include "voxloom/models/sam2/vit.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::models::sam2 {

VitImpl::VitImpl(const VitOptions& vit_options) : options(vit_options) {
  const int64_t dim = options.embed_dim;
  pos_embed = register_parameter(
      "pos_embed", torch::zeros({1, options.position_grid * options.position_grid + 1, dim}));
  patch_embed = register_module(
      "patch_embed",
      PatchEmbed(dim, nn::ConvOptions{.kernel = options.patch, .stride = options.patch}));
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.depth; ++i) {
    const auto& global = options.global_blocks;
    const bool whole = std::find(global.begin(), global.end(), i) != global.end();
    list_.emplace_back(
        BlockPlan{dim, dim, options.num_heads, whole ? 0 : options.window, /*pool=*/false});
    blocks->push_back(list_.back());
  }
}

at::Tensor VitImpl::position(int64_t height, int64_t width) {
  const auto make = [&] {
    const int64_t edge = options.position_grid;
    at::Tensor map = pos_embed.slice(1, 1).reshape({1, edge, edge, options.embed_dim});
    if (height == edge && width == edge) return map.contiguous();
    map = at::upsample_bicubic2d(map.permute({0, 3, 1, 2}),
                                 {height, width},
                                 /*align_corners=*/false,
                                 c10::nullopt,
                                 c10::nullopt);
    return map.permute({0, 2, 3, 1}).contiguous();
  };
  if (at::GradMode::is_enabled() && pos_embed.requires_grad()) return make();
  nn::ConstantCache::Key key{height, width};
  nn::ConstantCache::append_fingerprint(key, pos_embed);
  return cache_.get(key, make);
}

std::vector<at::Tensor> VitImpl::forward(const at::Tensor& image) {
  at::Tensor x = patch_embed(image);
  x = x + position(x.size(1), x.size(2));
  // The output is taken after the last block that sees the whole map; what follows it (nothing,
  // in the published networks) would not be used.
  const int64_t last =
      options.global_blocks.empty() ? options.depth - 1 : options.global_blocks.back();
  for (int64_t i = 0; i <= last; ++i) x = list_[static_cast<size_t>(i)](x);
  return {x.permute({0, 3, 1, 2})};
}

VitNeckLevelImpl::VitNeckLevelImpl(int64_t in, int64_t out) {
  conv_1x1 = register_module("conv_1x1", nn::Conv2d(in, out, nn::ConvOptions{.bias = false}));
  norm_0 = register_module("norm_0", nn::LayerNorm2d(out));
  conv_3x3 = register_module(
      "conv_3x3", nn::Conv2d(out, out, nn::ConvOptions{.kernel = 3, .padding = 1, .bias = false}));
  norm_1 = register_module("norm_1", nn::LayerNorm2d(out));
}

at::Tensor VitNeckLevelImpl::forward(const at::Tensor& x) {
  return norm_1(conv_3x3(norm_0(conv_1x1(x))));
}

VitNeckImpl::VitNeckImpl(int64_t width, int64_t d_model) {
  convs = register_module("convs", torch::nn::ModuleList());
  level_ = VitNeckLevel(width, d_model);
  convs->push_back(level_);
}

std::vector<at::Tensor> VitNeckImpl::forward(const std::vector<at::Tensor>& maps) {
  VOXLOOM_CHECK(maps.size() == 1,
                ErrorCode::kInvalidArgument,
                "vit neck: must get one map, got {}",
                maps.size());
  return {level_(maps[0])};
}

}  // namespace voxloom::models::sam2
