#include "voxloom/models/sam2/two_way_transformer.h"

namespace voxloom::models::sam2 {
namespace {

constexpr double kNormEps = 1e-5;

}  // namespace

DecoderAttentionImpl::DecoderAttentionImpl(int64_t width, int64_t inner, int64_t heads)
    : heads_(heads) {
  q_proj = register_module("q_proj", nn::Linear(width, inner));
  k_proj = register_module("k_proj", nn::Linear(width, inner));
  v_proj = register_module("v_proj", nn::Linear(width, inner));
  out_proj = register_module("out_proj", nn::Linear(inner, width));
}

at::Tensor DecoderAttentionImpl::forward(const at::Tensor& q,
                                         const at::Tensor& k,
                                         const at::Tensor& v) {
  const auto split = [&](const at::Tensor& t) {  // [B, N, inner] -> [B, heads, N, d]
    return t.unflatten(2, {heads_, t.size(2) / heads_}).transpose(1, 2);
  };
  const at::Tensor mixed =
      at::scaled_dot_product_attention(split(q_proj(q)), split(k_proj(k)), split(v_proj(v)));
  return out_proj(mixed.transpose(1, 2).flatten(2));
}

TwoWayLayerImpl::TwoWayLayerImpl(const Sam2Options& options, bool first) : first_(first) {
  const int64_t d = options.d_model;
  const int64_t heads = options.decoder_heads;
  self_attn = register_module("self_attn", DecoderAttention(d, d, heads));
  norm1 = register_module("norm1", nn::LayerNorm(d, kNormEps));
  cross_attn_token_to_image =
      register_module("cross_attn_token_to_image", DecoderAttention(d, d / 2, heads));
  norm2 = register_module("norm2", nn::LayerNorm(d, kNormEps));
  mlp = register_module(
      "mlp", nn::Mlp(std::vector<int64_t>{d, options.decoder_mlp, d}, nn::Activation::kRelu));
  norm3 = register_module("norm3", nn::LayerNorm(d, kNormEps));
  norm4 = register_module("norm4", nn::LayerNorm(d, kNormEps));
  cross_attn_image_to_token =
      register_module("cross_attn_image_to_token", DecoderAttention(d, d / 2, heads));
}

std::pair<at::Tensor, at::Tensor> TwoWayLayerImpl::forward(at::Tensor queries,
                                                           at::Tensor keys,
                                                           const at::Tensor& query_pe,
                                                           const at::Tensor& key_pe) {
  if (first_) {
    queries = self_attn(queries, queries, queries);
  } else {
    const at::Tensor q = queries + query_pe;
    queries = queries + self_attn(q, q, queries);
  }
  queries = norm1(queries);
  at::Tensor placed_keys = keys + key_pe;
  queries = norm2(queries + cross_attn_token_to_image(queries + query_pe, placed_keys, keys));
  queries = norm3(queries + mlp(queries));
  keys = norm4(keys + cross_attn_image_to_token(placed_keys, queries + query_pe, queries));
  return {queries, keys};
}

TwoWayTransformerImpl::TwoWayTransformerImpl(const Sam2Options& options) {
  layers = register_module("layers", torch::nn::ModuleList());
  for (int64_t i = 0; i < options.decoder_layers; ++i) {
    list_.emplace_back(options, i == 0);
    layers->push_back(list_.back());
  }
  final_attn_token_to_image = register_module(
      "final_attn_token_to_image",
      DecoderAttention(options.d_model, options.d_model / 2, options.decoder_heads));
  norm_final_attn = register_module("norm_final_attn", nn::LayerNorm(options.d_model, kNormEps));
}

std::pair<at::Tensor, at::Tensor> TwoWayTransformerImpl::forward(const at::Tensor& image,
                                                                 const at::Tensor& position,
                                                                 const at::Tensor& tokens) {
  at::Tensor keys = image.flatten(2).transpose(1, 2);
  const at::Tensor key_pe = position.flatten(2).transpose(1, 2);
  at::Tensor queries = tokens;
  for (TwoWayLayer& layer : list_) {
    std::tie(queries, keys) = layer->forward(queries, keys, tokens, key_pe);
  }
  queries =
      norm_final_attn(queries + final_attn_token_to_image(queries + tokens, keys + key_pe, keys));
  return {queries, keys};
}

}  // namespace voxloom::models::sam2
