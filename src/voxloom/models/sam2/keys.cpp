// The list of checkpoint keys, written down apart from the modules: it checks a file before any
// memory is taken for a network, and the golden lists check it against the original code.
#include <algorithm>

#include "voxloom/core/format.h"
#include "voxloom/models/sam2/options.h"

namespace voxloom::models::sam2 {
namespace {

using Shape = std::vector<int64_t>;

class KeyList {
 public:
  void add(const std::string& name, Shape shape) { keys_.push_back({name, std::move(shape)}); }
  void pair(const std::string& name, Shape weight, int64_t bias) {
    add(name + ".weight", std::move(weight));
    add(name + ".bias", {bias});
  }
  void linear(const std::string& name, int64_t in, int64_t out) { pair(name, {out, in}, out); }
  void norm(const std::string& name, int64_t channels) { pair(name, {channels}, channels); }
  void conv(const std::string& name, int64_t in, int64_t out, int64_t kernel) {
    pair(name, {out, in, kernel, kernel}, out);
  }
  void mlp(const std::string& name, const Shape& widths) {
    for (size_t i = 0; i + 1 < widths.size(); ++i) {
      linear(format("{}.layers.{}", name, i), widths[i], widths[i + 1]);
    }
  }
  void attention(const std::string& name, int64_t width, int64_t inner, int64_t key_width) {
    linear(name + ".q_proj", width, inner);
    linear(name + ".k_proj", key_width, inner);
    linear(name + ".v_proj", key_width, inner);
    linear(name + ".out_proj", inner, width);
  }
  std::vector<tensor::NamedShape> take() { return std::move(keys_); }

 private:
  std::vector<tensor::NamedShape> keys_;
};

void add_block(KeyList& keys, const std::string& name, int64_t dim, int64_t dim_out) {
  keys.norm(name + ".norm1", dim);
  keys.linear(name + ".attn.qkv", dim, 3 * dim_out);
  keys.linear(name + ".attn.proj", dim_out, dim_out);
  keys.norm(name + ".norm2", dim_out);
  keys.mlp(name + ".mlp", {dim_out, 4 * dim_out, dim_out});
  if (dim != dim_out) keys.linear(name + ".proj", dim, dim_out);
}

void add_hiera(KeyList& keys, const Sam2Options& o) {
  const HieraOptions& h = o.hiera;
  const std::string trunk = "image_encoder.trunk.";
  keys.add(trunk + "pos_embed", {1, h.embed_dim, h.position_grid[0], h.position_grid[1]});
  keys.add(trunk + "pos_embed_window", {1, h.embed_dim, h.window_spec[0], h.window_spec[0]});
  keys.conv(trunk + "patch_embed.proj", 3, h.embed_dim, 7);
  int64_t dim = h.embed_dim;
  int64_t index = 0;
  std::vector<int64_t> widths;
  for (size_t stage = 0; stage < h.stages.size(); ++stage) {
    for (int64_t i = 0; i < h.stages[stage]; ++i) {
      const int64_t dim_out = stage > 0 && i == 0 ? 2 * dim : dim;
      add_block(keys, format("{}blocks.{}", trunk, index++), dim, dim_out);
      dim = dim_out;
    }
    widths.push_back(dim);
  }
  std::reverse(widths.begin(), widths.end());
  for (size_t k = 0; k < widths.size(); ++k) {
    keys.conv(format("image_encoder.neck.convs.{}.conv", k), widths[k], o.d_model, 1);
  }
}

void add_vit(KeyList& keys, const Sam2Options& o) {
  const VitOptions& v = o.vit;
  const std::string trunk = "image_encoder.trunk.";
  keys.add(trunk + "pos_embed", {1, v.position_grid * v.position_grid + 1, v.embed_dim});
  keys.conv(trunk + "patch_embed.proj", 3, v.embed_dim, v.patch);
  for (int64_t i = 0; i < v.depth; ++i) {
    add_block(keys, format("{}blocks.{}", trunk, i), v.embed_dim, v.embed_dim);
  }
  const std::string neck = "image_encoder.neck.convs.0.";
  keys.add(neck + "conv_1x1.weight", {o.d_model, v.embed_dim, 1, 1});
  keys.norm(neck + "norm_0", o.d_model);
  keys.add(neck + "conv_3x3.weight", {o.d_model, o.d_model, 3, 3});
  keys.norm(neck + "norm_1", o.d_model);
}

void add_memory(KeyList& keys, const Sam2Options& o) {
  const int64_t d = o.d_model;
  for (int64_t i = 0; i < o.memory_layers; ++i) {
    const std::string layer = format("memory_attention.layers.{}.", i);
    keys.attention(layer + "self_attn", d, d, d);
    keys.attention(layer + "cross_attn_image", d, d, o.memory_dim);
    keys.linear(layer + "linear1", d, o.memory_ffn);
    keys.linear(layer + "linear2", o.memory_ffn, d);
    for (int n = 1; n <= 3; ++n) keys.norm(format("{}norm{}", layer, n), d);
  }
  keys.norm("memory_attention.norm", d);

  int64_t channels = 1;
  const std::string encoder = "memory_encoder.mask_downsampler.encoder.";
  for (int level = 0; level < 4; ++level) {
    keys.conv(format("{}{}", encoder, 3 * level), channels, 4 * channels, 3);
    channels *= 4;
    keys.norm(format("{}{}", encoder, 3 * level + 1), channels);
  }
  keys.conv(encoder + "12", channels, d, 1);
  keys.conv("memory_encoder.pix_feat_proj", d, d, 1);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = format("memory_encoder.fuser.layers.{}.", i);
    keys.add(layer + "gamma", {d});
    keys.pair(layer + "dwconv", {d, 1, 7, 7}, d);
    keys.norm(layer + "norm", d);
    keys.linear(layer + "pwconv1", d, 4 * d);
    keys.linear(layer + "pwconv2", 4 * d, d);
  }
  keys.conv("memory_encoder.out_proj", d, o.memory_dim, 1);
}

void add_prompt_encoder(KeyList& keys, const Sam2Options& o) {
  const int64_t d = o.d_model;
  const std::string name = "sam_prompt_encoder.";
  keys.add(name + "pe_layer.positional_encoding_gaussian_matrix", {2, d / 2});
  for (int i = 0; i < 4; ++i) keys.add(format("{}point_embeddings.{}.weight", name, i), {1, d});
  keys.add(name + "not_a_point_embed.weight", {1, d});
  const int64_t c = o.mask_prompt_channels;
  keys.conv(name + "mask_downscaling.0", 1, c / 4, 2);
  keys.norm(name + "mask_downscaling.1", c / 4);
  keys.conv(name + "mask_downscaling.3", c / 4, c, 2);
  keys.norm(name + "mask_downscaling.4", c);
  keys.conv(name + "mask_downscaling.6", c, d, 1);
  keys.add(name + "no_mask_embed.weight", {1, d});
}

void add_mask_decoder(KeyList& keys, const Sam2Options& o) {
  const int64_t d = o.d_model;
  const int64_t masks = o.num_multimasks + 1;
  const std::string name = "sam_mask_decoder.";
  for (int64_t i = 0; i < o.decoder_layers; ++i) {
    const std::string layer = format("{}transformer.layers.{}.", name, i);
    keys.attention(layer + "self_attn", d, d, d);
    keys.norm(layer + "norm1", d);
    keys.attention(layer + "cross_attn_token_to_image", d, d / 2, d);
    keys.norm(layer + "norm2", d);
    keys.mlp(layer + "mlp", {d, o.decoder_mlp, d});
    keys.norm(layer + "norm3", d);
    keys.norm(layer + "norm4", d);
    keys.attention(layer + "cross_attn_image_to_token", d, d / 2, d);
  }
  keys.attention(name + "transformer.final_attn_token_to_image", d, d / 2, d);
  keys.norm(name + "transformer.norm_final_attn", d);
  keys.add(name + "iou_token.weight", {1, d});
  keys.add(name + "mask_tokens.weight", {masks, d});
  keys.add(name + "obj_score_token.weight", {1, d});
  keys.pair(name + "output_upscaling.0", {d, d / 4, 2, 2}, d / 4);
  keys.norm(name + "output_upscaling.1", d / 4);
  keys.pair(name + "output_upscaling.3", {d / 4, d / 8, 2, 2}, d / 8);
  if (o.high_res_features) {
    keys.conv(name + "conv_s0", d, d / 8, 1);
    keys.conv(name + "conv_s1", d, d / 4, 1);
  }
  for (int64_t i = 0; i < masks; ++i) {
    keys.mlp(format("{}output_hypernetworks_mlps.{}", name, i), {d, d, d, d / 8});
  }
  keys.mlp(name + "iou_prediction_head", {d, o.iou_hidden, o.iou_hidden, masks});
  keys.mlp(name + "pred_obj_score_head", {d, d, d, 1});
}

}  // namespace

std::vector<tensor::NamedShape> expected_keys(const Sam2Options& o) {
  o.validate();
  const int64_t d = o.d_model;
  KeyList keys;
  keys.add("maskmem_tpos_enc", {o.num_memories, 1, 1, o.memory_dim});
  keys.add("no_mem_embed", {1, 1, d});
  keys.add("no_mem_pos_enc", {1, 1, d});
  keys.add("no_obj_ptr", {1, d});
  if (o.absent_embedding) keys.add("no_obj_embed_spatial", {1, o.memory_dim});
  if (o.trunk == TrunkKind::kHiera) {
    add_hiera(keys, o);
  } else {
    add_vit(keys, o);
  }
  keys.conv("mask_downsample", 1, 1, 4);
  add_memory(keys, o);
  add_prompt_encoder(keys, o);
  add_mask_decoder(keys, o);
  keys.mlp("obj_ptr_proj", {d, d, d, d});
  if (o.pointer_time) keys.linear("obj_ptr_tpos_proj", d, o.memory_dim);
  return keys.take();
}

}  // namespace voxloom::models::sam2
