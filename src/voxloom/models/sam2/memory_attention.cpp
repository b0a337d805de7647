#include "voxloom/models/sam2/memory_attention.h"

#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

constexpr double kNormEps = 1e-5;
constexpr double kPositionWeight = 0.1;
constexpr double kDropout = 0.1;  // of each branch, in training

}  // namespace

RopeAttentionImpl::RopeAttentionImpl(int64_t width, int64_t key_width) {
  q_proj = register_module("q_proj", nn::Linear(width, width));
  k_proj = register_module("k_proj", nn::Linear(key_width, width));
  v_proj = register_module("v_proj", nn::Linear(key_width, width));
  out_proj = register_module("out_proj", nn::Linear(width, width));
}

at::Tensor RopeAttentionImpl::forward(const at::Tensor& q,
                                      const at::Tensor& k,
                                      const at::Tensor& v,
                                      const RopeTable& table,
                                      int64_t unrotated) {
  const at::Tensor queries = apply_rope(q_proj(q), table);
  at::Tensor keys = k_proj(k);
  const int64_t cells = table.cos.size(0);
  const int64_t rotated = keys.size(1) - unrotated;
  if (rotated > 0) {
    const at::Tensor maps = keys.slice(1, 0, rotated).unflatten(1, {rotated / cells, cells});
    const at::Tensor turned = apply_rope(maps, table).flatten(1, 2);
    keys = unrotated > 0 ? at::cat({turned, keys.slice(1, rotated)}, 1) : turned;
  }
  const at::Tensor mixed = at::scaled_dot_product_attention(
      queries.unsqueeze(1), keys.unsqueeze(1), v_proj(v).unsqueeze(1));
  return out_proj(mixed.squeeze(1));
}

MemoryAttentionLayerImpl::MemoryAttentionLayerImpl(const Sam2Options& options) {
  const int64_t d = options.d_model;
  self_attn = register_module("self_attn", RopeAttention(d, d));
  cross_attn_image = register_module("cross_attn_image", RopeAttention(d, options.memory_dim));
  linear1 = register_module("linear1", nn::Linear(d, options.memory_ffn));
  linear2 = register_module("linear2", nn::Linear(options.memory_ffn, d));
  norm1 = register_module("norm1", nn::LayerNorm(d, kNormEps));
  norm2 = register_module("norm2", nn::LayerNorm(d, kNormEps));
  norm3 = register_module("norm3", nn::LayerNorm(d, kNormEps));
}

at::Tensor MemoryAttentionLayerImpl::forward(at::Tensor x,
                                             const at::Tensor& memory,
                                             const at::Tensor& memory_position,
                                             const RopeTable& table,
                                             int64_t pointer_tokens) {
  const auto drop = [this](const at::Tensor& t) {
    return is_training() ? at::dropout(t, kDropout, /*train=*/true) : t;
  };
  at::Tensor y = norm1(x);
  x = x + drop(self_attn(y, y, y, table, 0));
  x = x + drop(cross_attn_image(norm2(x), memory + memory_position, memory, table, pointer_tokens));
  return x + drop(linear2(drop(at::relu(linear1(norm3(x))))));
}

MemoryAttentionImpl::MemoryAttentionImpl(const Sam2Options& options)
    : d_model_(options.d_model), theta_(options.rope_theta) {
  layers = register_module("layers", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.memory_layers; ++i) {
    list_.emplace_back(options);
    layers->push_back(list_.back());
  }
  norm = register_module("norm", nn::LayerNorm(options.d_model, kNormEps));
}

RopeTable MemoryAttentionImpl::table(int64_t grid, const at::Tensor& like) {
  nn::ConstantCache::Key key{
      grid, static_cast<int64_t>(like.device().type()), like.device().index()};
  const at::Tensor both = cache_.get(key, [&] {
    const RopeTable made = rope_table(d_model_, grid, grid, theta_);
    return at::stack({made.cos, made.sin}, 0).to(like.device());
  });
  return {both[0], both[1]};
}

at::Tensor MemoryAttentionImpl::forward(const at::Tensor& x,
                                        const at::Tensor& x_position,
                                        const at::Tensor& memory,
                                        const at::Tensor& memory_position,
                                        int64_t pointer_tokens) {
  const int64_t cells = x.size(1);
  const auto grid = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(cells))));
  VOXLOOM_CHECK(grid * grid == cells && x_position.size(0) == cells &&
                    (memory.size(1) - pointer_tokens) % cells == 0,
                ErrorCode::kInvalidArgument,
                "memory attention: tokens must be a square grid of {} and memory whole maps of it, "
                "got {} and {} with {} pointer tokens",
                x_position.size(0),
                tensor::shape_str(x),
                tensor::shape_str(memory),
                pointer_tokens);
  const RopeTable rope = table(grid, x);
  at::Tensor y = x + kPositionWeight * x_position;
  for (MemoryAttentionLayer& layer : list_) {
    y = layer(y, memory, memory_position, rope, pointer_tokens);
  }
  return norm(y);
}

}  // namespace voxloom::models::sam2
