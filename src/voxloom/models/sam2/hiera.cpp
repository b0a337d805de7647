#include "voxloom/models/sam2/hiera.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/window.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

constexpr double kNormEps = 1e-6;
constexpr int64_t kMlpRatio = 4;

/// x [B, H, W, C] -> [B, H / 2, W / 2, C], maximum of each 2x2 square.
at::Tensor max_pool(const at::Tensor& x) {
  return at::max_pool2d(x.permute({0, 3, 1, 2}), {2, 2}, {2, 2}).permute({0, 2, 3, 1});
}

}  // namespace

PatchEmbedImpl::PatchEmbedImpl(int64_t channels, const nn::ConvOptions& options) {
  proj = register_module("proj", nn::Conv2d(3, channels, options));
}

at::Tensor PatchEmbedImpl::forward(const at::Tensor& image) {
  VOXLOOM_CHECK(image.dim() == 4 && image.size(1) == 3,
                ErrorCode::kInvalidArgument,
                "patch embedding: the image must be [B, 3, H, W], got {}",
                tensor::shape_str(image));
  return proj(image).permute({0, 2, 3, 1});
}

WindowAttentionImpl::WindowAttentionImpl(const BlockPlan& plan) : plan_(plan) {
  qkv = register_module("qkv", nn::Linear(plan.dim, 3 * plan.dim_out));
  proj = register_module("proj", nn::Linear(plan.dim_out, plan.dim_out));
}

at::Tensor WindowAttentionImpl::forward(const at::Tensor& x) {
  const WindowGrid grid = WindowGrid::of(x.size(1), x.size(2), plan_.window);
  const at::Tensor windows = split_windows(qkv(x), grid, qkv->bias);
  const int64_t count = windows.size(0);
  const int64_t heads = plan_.num_heads;
  const int64_t head_dim = plan_.dim_out / heads;
  const auto to_heads = [&](const at::Tensor& t) {  // [count, h, w, C] -> [count, heads, h w, d]
    return t.reshape({count, -1, heads, head_dim}).transpose(1, 2);
  };
  at::Tensor q = windows.narrow(3, 0, plan_.dim_out);
  const at::Tensor k = windows.narrow(3, plan_.dim_out, plan_.dim_out);
  const at::Tensor v = windows.narrow(3, 2 * plan_.dim_out, plan_.dim_out);
  if (plan_.pool) q = max_pool(q);
  const WindowGrid out_grid = plan_.pool ? grid.pooled() : grid;
  const at::Tensor mixed = at::scaled_dot_product_attention(to_heads(q), to_heads(k), to_heads(v));
  const at::Tensor joined = join_windows(
      mixed.transpose(1, 2).reshape({count, out_grid.edge, out_grid.edge_x, plan_.dim_out}),
      out_grid);
  return proj(joined);
}

TransformerBlockImpl::TransformerBlockImpl(const BlockPlan& plan) : plan_(plan) {
  norm1 = register_module("norm1", nn::LayerNorm(plan.dim, kNormEps));
  attn = register_module("attn", WindowAttention(plan));
  norm2 = register_module("norm2", nn::LayerNorm(plan.dim_out, kNormEps));
  mlp = register_module(
      "mlp",
      nn::Mlp(std::vector<int64_t>{plan.dim_out, kMlpRatio * plan.dim_out, plan.dim_out},
              nn::Activation::kGelu));
  if (plan.dim != plan.dim_out) proj = register_module("proj", nn::Linear(plan.dim, plan.dim_out));
}

at::Tensor TransformerBlockImpl::forward(const at::Tensor& x) {
  const at::Tensor normed = norm1(x);
  at::Tensor shortcut = x;
  if (proj) shortcut = proj(normed);  // the normalised input is projected, not x
  if (plan_.pool) shortcut = max_pool(shortcut);
  const at::Tensor y = shortcut + attn(normed);
  return y + mlp(norm2(y));
}

std::vector<BlockPlan> hiera_plan(const HieraOptions& options) {
  std::vector<BlockPlan> plans;
  int64_t dim = options.embed_dim;
  int64_t heads = options.num_heads;
  for (size_t stage = 0; stage < options.stages.size(); ++stage) {
    for (int64_t i = 0; i < options.stages[stage]; ++i) {
      const bool enters = stage > 0 && i == 0;
      BlockPlan plan;
      plan.dim = dim;
      if (enters) {
        dim *= 2;
        heads *= 2;
      }
      plan.dim_out = dim;
      plan.num_heads = heads;
      plan.window = options.window_spec[enters ? stage - 1 : stage];
      plan.pool = enters;
      const auto index = static_cast<int64_t>(plans.size());
      const auto& global = options.global_blocks;
      if (std::find(global.begin(), global.end(), index) != global.end()) plan.window = 0;
      plans.push_back(plan);
    }
  }
  return plans;
}

HieraImpl::HieraImpl(const HieraOptions& hiera_options) : options(hiera_options) {
  const int64_t dim = options.embed_dim;
  pos_embed = register_parameter(
      "pos_embed", torch::zeros({1, dim, options.position_grid[0], options.position_grid[1]}));
  pos_embed_window = register_parameter(
      "pos_embed_window", torch::zeros({1, dim, options.window_spec[0], options.window_spec[0]}));
  patch_embed = register_module(
      "patch_embed", PatchEmbed(dim, nn::ConvOptions{.kernel = 7, .stride = 4, .padding = 3}));
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (const BlockPlan& plan : hiera_plan(options)) {
    list_.emplace_back(plan);
    blocks->push_back(list_.back());
  }
}

at::Tensor HieraImpl::position(int64_t height, int64_t width) {
  const auto make = [&] {
    const int64_t edge = options.window_spec[0];
    VOXLOOM_CHECK(height % edge == 0 && width % edge == 0,
                  ErrorCode::kInvalidArgument,
                  "hiera: the stride-4 map must be a multiple of {}, got {} x {}",
                  edge,
                  height,
                  width);
    const at::Tensor wide = at::upsample_bicubic2d(
        pos_embed, {height, width}, /*align_corners=*/false, c10::nullopt, c10::nullopt);
    const at::Tensor tiled = pos_embed_window.repeat({1, 1, height / edge, width / edge});
    return (wide + tiled).permute({0, 2, 3, 1}).contiguous();
  };
  if (at::GradMode::is_enabled() && pos_embed.requires_grad()) return make();
  nn::ConstantCache::Key key{height, width};
  nn::ConstantCache::append_fingerprint(key, pos_embed);
  nn::ConstantCache::append_fingerprint(key, pos_embed_window);
  return cache_.get(key, make);
}

std::vector<at::Tensor> HieraImpl::forward(const at::Tensor& image) {
  at::Tensor x = patch_embed(image);
  x = x + position(x.size(1), x.size(2));
  std::vector<at::Tensor> maps;
  int64_t next_end = 0;
  size_t stage = 0;
  for (size_t i = 0; i < list_.size(); ++i) {
    x = list_[i](x);
    if (static_cast<int64_t>(i) + 1 == next_end + options.stages[stage]) {
      next_end += options.stages[stage];
      ++stage;
      maps.push_back(x.permute({0, 3, 1, 2}));
    }
  }
  return maps;
}

LateralImpl::LateralImpl(int64_t in, int64_t out) {
  conv = register_module("conv", nn::Conv2d(in, out, nn::ConvOptions{}));
}

FpnNeckImpl::FpnNeckImpl(const std::vector<int64_t>& widths, int64_t d_model) {
  convs = register_module("convs", torch::nn::ModuleList());
  for (auto width = widths.rbegin(); width != widths.rend(); ++width) {
    list_.emplace_back(*width, d_model);
    convs->push_back(list_.back());
  }
}

std::vector<at::Tensor> FpnNeckImpl::forward(const std::vector<at::Tensor>& maps) {
  VOXLOOM_CHECK(maps.size() == list_.size(),
                ErrorCode::kInvalidArgument,
                "fpn neck: must get {} maps, got {}",
                list_.size(),
                maps.size());
  const size_t last = maps.size() - 1;
  std::vector<at::Tensor> out(last);
  for (size_t level = 0; level < last; ++level) out[level] = list_[last - level]->conv(maps[level]);
  const at::Tensor lowest = list_[0]->conv(maps[last]);
  // Only the stride-16 level takes part in the top-down path.
  at::Tensor& coarse = out[last - 1];
  coarse = coarse + at::upsample_nearest2d(lowest, {coarse.size(2), coarse.size(3)});
  return out;
}

}  // namespace voxloom::models::sam2
