#include "voxloom/models/sam_med2d/image_encoder.h"

#include "voxloom/models/sam2/window.h"

namespace voxloom::models::sam_med2d {
namespace {

constexpr double kBlockEps = 1e-6, kAdapterEps = 1e-5;

/// table [2 e - 1, d] -> [e, e, d]: row (query, key) holds the table's row query - key + e - 1.
at::Tensor by_offset(const at::Tensor& table, int64_t edge) {
  const at::Tensor at_edge = torch::arange(edge, table.options().dtype(torch::kLong));
  const at::Tensor offset = at_edge.unsqueeze(1) - at_edge.unsqueeze(0) + (edge - 1);
  return table.index_select(0, offset.flatten()).view({edge, edge, table.size(1)});
}

}  // namespace

void name_as_lin(nn::Mlp& mlp) {
  const auto layers = mlp->layers;
  mlp->unregister_module("layers");
  for (size_t i = 0; i < layers->size(); ++i) {
    mlp->register_module("lin" + std::to_string(i + 1), layers->ptr(i));
  }
}

DoubleMapImpl::DoubleMapImpl(int64_t channels) {
  weight = register_parameter("weight", torch::empty({channels, channels, 4, 4}));
}

at::Tensor DoubleMapImpl::forward(const at::Tensor& x) {
  return at::conv_transpose2d(x, weight, /*bias=*/{}, /*stride=*/{2, 2}, /*padding=*/{1, 1});
}

AdapterImpl::AdapterImpl(const SamMed2dOptions& options) {
  const int64_t c = options.embed_dim;
  norm = register_module("norm", nn::LayerNorm(c, kAdapterEps));
  channel = register_module("channel",
                            nn::Seq(nn::Linear(c, options.gate_dim(), /*with_bias=*/false),
                                    torch::nn::ReLU(),
                                    nn::Linear(options.gate_dim(), c, /*with_bias=*/false),
                                    torch::nn::Sigmoid()));
  const nn::ConvOptions halve{.kernel = 3, .stride = 2, .padding = 1, .bias = false};
  spatial = register_module(
      "spatial",
      nn::Seq(nn::Conv2d(c, c, halve), torch::nn::ReLU(), DoubleMap(c), torch::nn::ReLU()));
}

at::Tensor AdapterImpl::forward(const at::Tensor& x) {
  const at::Tensor gate = channel(x.mean(at::IntArrayRef{1, 2}));  // [B, C]
  const at::Tensor gated = (x * gate.unsqueeze(1).unsqueeze(1)).permute({0, 3, 1, 2});
  return norm(x + spatial(gated).permute({0, 2, 3, 1}));
}

RelativeAttentionImpl::RelativeAttentionImpl(int64_t channels,
                                             int64_t heads,
                                             int64_t grid,
                                             int64_t window)
    : heads_(heads), window_(window) {
  const int64_t rows = 2 * (window == 0 ? grid : window) - 1;
  rel_pos_h = register_parameter("rel_pos_h", torch::zeros({rows, channels / heads}));
  rel_pos_w = register_parameter("rel_pos_w", torch::zeros({rows, channels / heads}));
  qkv = register_module("qkv", nn::Linear(channels, 3 * channels));
  proj = register_module("proj", nn::Linear(channels, channels));
}

at::Tensor RelativeAttentionImpl::forward(const at::Tensor& x) {
  const auto grid = sam2::WindowGrid::of(x.size(1), x.size(2), window_);
  const int64_t channels = x.size(3), depth = channels / heads_;
  // The original pads normalised tokens with zeros, whose projection is the bias.
  const at::Tensor windows = sam2::split_windows(qkv(x), grid, qkv->bias);
  const int64_t edge = windows.size(1), area = edge * edge;
  const at::Tensor parts =
      windows.reshape({windows.size(0), area, 3, heads_, depth}).permute({2, 0, 3, 1, 4});
  const at::Tensor q = parts[0], k = parts[1], v = parts[2];  // [N, heads, area, depth]
  // Positions meet the queries before these are scaled.
  const at::Tensor q_map = q.reshape({-1, edge, edge, depth});
  const at::Tensor rows = at::einsum("nhwc,hkc->nhwk", {q_map, by_offset(rel_pos_h, edge)});
  const at::Tensor columns = at::einsum("nhwc,wkc->nhwk", {q_map, by_offset(rel_pos_w, edge)});
  const at::Tensor bias =
      (rows.unsqueeze(4) + columns.unsqueeze(3)).reshape({windows.size(0), heads_, area, area});
  const at::Tensor mixed = at::scaled_dot_product_attention(q, k, v, bias);
  const at::Tensor joined = mixed.transpose(1, 2).reshape({windows.size(0), edge, edge, channels});
  return proj(sam2::join_windows(joined, grid));
}

BlockImpl::BlockImpl(const SamMed2dOptions& options, int64_t index) {
  const int64_t c = options.embed_dim;
  norm1 = register_module("norm1", nn::LayerNorm(c, kBlockEps));
  attn = register_module(
      "attn",
      RelativeAttention(
          c, options.num_heads, options.grid(), options.is_global(index) ? 0 : options.window));
  norm2 = register_module("norm2", nn::LayerNorm(c, kBlockEps));
  mlp = register_module("mlp", nn::Mlp(std::vector<int64_t>{c, 4 * c, c}, nn::Activation::kGelu));
  name_as_lin(mlp);
  adapter = register_module("Adapter", Adapter(options));
}

at::Tensor BlockImpl::forward(const at::Tensor& x) {
  const at::Tensor attended = x + attn(norm1(x));
  const at::Tensor normal = norm2(attended);
  return attended + mlp(normal) + adapter(normal);
}

ImageEncoderImpl::ImageEncoderImpl(const SamMed2dOptions& options) {
  const int64_t d = options.d_model;
  pos_embed = register_parameter(
      "pos_embed", torch::zeros({1, options.grid(), options.grid(), options.embed_dim}));
  patch_embed = register_module(
      "patch_embed",
      sam2::PatchEmbed(options.embed_dim, nn::ConvOptions{.kernel = 16, .stride = 16}));
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.depth; ++i) {
    list_.emplace_back(options, i);
    blocks->push_back(list_.back());
  }
  const nn::ConvOptions same{.kernel = 3, .padding = 1, .bias = false};
  neck = register_module("neck",
                         nn::Seq(nn::Conv2d(options.embed_dim, d, nn::ConvOptions{.bias = false}),
                                 nn::LayerNorm2d(d),
                                 nn::Conv2d(d, d, same),
                                 nn::LayerNorm2d(d)));
}

at::Tensor ImageEncoderImpl::forward(const at::Tensor& image) {
  at::Tensor x = patch_embed(image) + pos_embed;
  for (Block& block : list_) x = block(x);
  return neck(x.permute({0, 3, 1, 2})).contiguous();
}

}  // namespace voxloom::models::sam_med2d
