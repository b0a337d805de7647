// The checkpoint's keys, written down apart from the modules: they check a file before any memory
// is taken for a network, and tell which network it is.
#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/models/sam_med2d/options.h"

namespace voxloom::models::sam_med2d {
namespace {

using Shape = std::vector<int64_t>;
constexpr int64_t kMaskChannels = 16;  ///< Of the mask prompt's small network.

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
  void attention(const std::string& name, int64_t width, int64_t inner) {
    for (const char* part : {".q_proj", ".k_proj", ".v_proj"}) linear(name + part, width, inner);
    linear(name + ".out_proj", inner, width);
  }
  void mlp(const std::string& name, const Shape& widths) {
    for (size_t i = 0; i + 1 < widths.size(); ++i) {
      linear(format("{}.layers.{}", name, i), widths[i], widths[i + 1]);
    }
  }
  std::vector<tensor::NamedShape> take() { return std::move(keys_); }

 private:
  std::vector<tensor::NamedShape> keys_;
};

void add_block(KeyList& keys, const SamMed2dOptions& o, int64_t index) {
  const int64_t c = o.embed_dim;
  const int64_t edge = o.is_global(index) ? o.grid() : o.window;
  const std::string block = format("image_encoder.blocks.{}.", index);
  keys.norm(block + "norm1", c);
  keys.add(block + "attn.rel_pos_h", {2 * edge - 1, c / o.num_heads});
  keys.add(block + "attn.rel_pos_w", {2 * edge - 1, c / o.num_heads});
  keys.linear(block + "attn.qkv", c, 3 * c);
  keys.linear(block + "attn.proj", c, c);
  keys.norm(block + "norm2", c);
  keys.linear(block + "mlp.lin1", c, 4 * c);
  keys.linear(block + "mlp.lin2", 4 * c, c);
  keys.norm(block + "Adapter.norm", c);
  keys.add(block + "Adapter.channel.0.weight", {o.gate_dim(), c});
  keys.add(block + "Adapter.channel.2.weight", {c, o.gate_dim()});
  keys.add(block + "Adapter.spatial.0.weight", {c, c, 3, 3});
  keys.add(block + "Adapter.spatial.2.weight", {c, c, 4, 4});
}

void add_image_encoder(KeyList& keys, const SamMed2dOptions& o) {
  const int64_t d = o.d_model;
  keys.add("image_encoder.pos_embed", {1, o.grid(), o.grid(), o.embed_dim});
  keys.conv("image_encoder.patch_embed.proj", 3, o.embed_dim, 16);
  for (int64_t i = 0; i < o.depth; ++i) add_block(keys, o, i);
  keys.add("image_encoder.neck.0.weight", {d, o.embed_dim, 1, 1});
  keys.norm("image_encoder.neck.1", d);
  keys.add("image_encoder.neck.2.weight", {d, d, 3, 3});
  keys.norm("image_encoder.neck.3", d);
}

void add_prompt_encoder(KeyList& keys, int64_t d) {
  const std::string name = "prompt_encoder.";
  keys.add(name + "pe_layer.positional_encoding_gaussian_matrix", {2, d / 2});
  for (int i = 0; i < 4; ++i) keys.add(format("{}point_embeddings.{}.weight", name, i), {1, d});
  keys.add(name + "not_a_point_embed.weight", {1, d});
  keys.conv(name + "mask_downscaling.0", 1, kMaskChannels / 4, 2);
  keys.norm(name + "mask_downscaling.1", kMaskChannels / 4);
  keys.conv(name + "mask_downscaling.3", kMaskChannels / 4, kMaskChannels, 2);
  keys.norm(name + "mask_downscaling.4", kMaskChannels);
  keys.conv(name + "mask_downscaling.6", kMaskChannels, d, 1);
  keys.add(name + "no_mask_embed.weight", {1, d});
}

void add_mask_decoder(KeyList& keys, const SamMed2dOptions& o) {
  const int64_t d = o.d_model;
  const std::string name = "mask_decoder.";
  for (int64_t i = 0; i < kDecoderLayers; ++i) {
    const std::string layer = format("{}transformer.layers.{}.", name, i);
    keys.attention(layer + "self_attn", d, d);
    keys.norm(layer + "norm1", d);
    keys.attention(layer + "cross_attn_token_to_image", d, d / 2);
    keys.norm(layer + "norm2", d);
    keys.linear(layer + "mlp.lin1", d, o.decoder_mlp);
    keys.linear(layer + "mlp.lin2", o.decoder_mlp, d);
    keys.norm(layer + "norm3", d);
    keys.norm(layer + "norm4", d);
    keys.attention(layer + "cross_attn_image_to_token", d, d / 2);
  }
  keys.attention(name + "transformer.final_attn_token_to_image", d, d / 2);
  keys.norm(name + "transformer.norm_final_attn", d);
  keys.add(name + "iou_token.weight", {1, d});
  keys.add(name + "mask_tokens.weight", {kMasks, d});
  keys.pair(name + "output_upscaling.0", {d, d / 4, 2, 2}, d / 4);
  keys.norm(name + "output_upscaling.1", d / 4);
  keys.pair(name + "output_upscaling.3", {d / 4, d / 8, 2, 2}, d / 8);
  for (int64_t i = 0; i < kMasks; ++i) {
    keys.mlp(format("{}output_hypernetworks_mlps.{}", name, i), {d, d, d, d / 8});
  }
  keys.mlp(name + "iou_prediction_head", {d, o.iou_hidden, o.iou_hidden, kMasks});
}

/// Extent `axis` of a tensor, 0 where there is none.
int64_t extent(const weights::StateDict& state, const std::string& key, size_t rank, size_t axis) {
  const auto* view = state.find(key);
  return view != nullptr && view->shape.size() == rank ? view->shape[axis] : 0;
}

}  // namespace

std::vector<tensor::NamedShape> expected_keys(const SamMed2dOptions& options) {
  options.validate();
  KeyList keys;
  add_image_encoder(keys, options);
  add_prompt_encoder(keys, options.d_model);
  add_mask_decoder(keys, options);
  return keys.take();
}

bool is_sam_checkpoint(const weights::StateDict& state) {
  return state.find("image_encoder.patch_embed.proj.weight") != nullptr &&
         state.find("prompt_encoder.not_a_point_embed.weight") != nullptr;
}

SamMed2dOptions detect_options(const weights::StateDict& state, const std::string& file_name) {
  const auto& entries = state.entries();
  const bool adapters = std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
    return entry.name.find(".Adapter.") != std::string::npos;
  });
  VOXLOOM_CHECK(
      adapters,
      ErrorCode::kUnsupported,
      "'{}': must be a SAM-Med2D checkpoint with adapters, got a SAM network without them",
      file_name);
  SamMed2dOptions o;
  const int64_t width = extent(state, "image_encoder.pos_embed", 4, 3);
  const int64_t grid = extent(state, "image_encoder.pos_embed", 4, 1);
  VOXLOOM_CHECK(width > 0 && grid > 0,
                ErrorCode::kDataCorrupt,
                "'{}': must hold 'image_encoder.pos_embed' [1, g, g, C], got none of that shape",
                file_name);
  if (width == o.embed_dim && grid == o.grid()) return o;

  o.embed_dim = width;
  o.image_size = 16 * grid;
  o.global_blocks.clear();
  const auto block_key = [](int64_t block, const char* name) {
    return format("image_encoder.blocks.{}.{}", block, name);
  };
  int64_t head_dim = 0;
  for (o.depth = 0;; ++o.depth) {
    const std::string rel_pos = block_key(o.depth, "attn.rel_pos_h");
    const int64_t rows = extent(state, rel_pos, 2, 0);
    if (rows == 0) break;
    head_dim = extent(state, rel_pos, 2, 1);
    if (rows == 2 * grid - 1) {
      o.global_blocks.push_back(o.depth);
    } else {
      o.window = (rows + 1) / 2;
    }
  }
  o.num_heads = head_dim > 0 ? width / head_dim : 0;
  o.d_model = extent(state, "image_encoder.neck.0.weight", 4, 0);
  o.decoder_mlp = extent(state, "mask_decoder.transformer.layers.0.mlp.lin1.bias", 1, 0);
  o.iou_hidden = extent(state, "mask_decoder.iou_prediction_head.layers.0.bias", 1, 0);
  try {
    o.validate();
  } catch (const Error& e) {
    throw Error(ErrorCode::kDataCorrupt,
                format("'{}': its shapes must name a SAM-Med2D network: {}", file_name, e.what()));
  }
  return o;
}

}  // namespace voxloom::models::sam_med2d
