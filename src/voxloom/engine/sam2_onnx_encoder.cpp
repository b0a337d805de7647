#include <algorithm>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/onnx_weights.h"
#include "voxloom/engine/onnx_windows.h"
#include "voxloom/engine/sam2_onnx.h"

namespace voxloom::engine {

namespace {

using models::sam2::Sam2Options;
using models::sam2::TrunkKind;

constexpr float kEpsilon = 1e-6F;
const std::string kTrunk = "image_encoder.trunk.";
const std::string kNeck = "image_encoder.neck.convs.";

at::Tensor as_torch(const OnnxTensor& tensor) {
  return at::from_blob(const_cast<float*>(tensor.values.data()), tensor.shape);
}

OnnxTensor copy_of(const at::Tensor& tensor) {
  const at::Tensor kept = tensor.to(at::kFloat).contiguous();
  const auto* data = kept.const_data_ptr<float>();
  return OnnxTensor::own(kept.sizes().vec(), {data, data + kept.numel()});
}

at::Tensor resized_bicubic(const at::Tensor& map, int64_t edge) {
  return at::upsample_bicubic2d(map, {edge, edge}, /*align_corners=*/false);
}

class EncoderBuilder {
 public:
  EncoderBuilder(const Sam2Options& options, const weights::StateDict& state)
      : graph_("sam2_encoder", "SAM 2 image encoder (arXiv:2408.00714)"),
        weights_(state),
        layers_(graph_, weights_),
        options_(options) {
    options.validate();
  }

  OnnxGraph build() {
    const int64_t size = options_.image_size;
    image_ = graph_.input("image",
                          OnnxType::kF32,
                          {int64_t{1}, int64_t{3}, size, size},
                          "RGB / 255, minus mean, divided by standard deviation");
    if (options_.trunk == TrunkKind::kHiera) {
      hiera();
    } else {
      vit();
    }
    return std::move(graph_);
  }

 private:
  // Position table of Hiera: the coarse map resized, plus the window map repeated.
  OnnxTensor hiera_position(int64_t edge) {
    const auto& h = options_.hiera;
    const OnnxTensor coarse = weights_.tensor(
        kTrunk + "pos_embed", {1, h.embed_dim, h.position_grid[0], h.position_grid[1]});
    const int64_t w = h.window_spec[0];
    const OnnxTensor tile = weights_.tensor(kTrunk + "pos_embed_window", {1, h.embed_dim, w, w});
    return copy_of(resized_bicubic(as_torch(coarse), edge) +
                   as_torch(tile).repeat({1, 1, edge / w, edge / w}));
  }

  void mlp_residual(TokenMap& x, const std::string& prefix) {
    const int64_t hidden = weights_.shape(prefix + "mlp.layers.0.bias").at(0);
    const OnnxValue normed = layers_.norm(x.rows, prefix + "norm2", kEpsilon);
    x.rows =
        graph_.add(x.rows, layers_.mlp(normed, prefix + "mlp", {hidden, x.channels()}, "Gelu"));
  }

  // A pooling block doubles channels and heads and halves the map.
  TokenMap hiera_block(TokenMap x, int64_t index, int64_t width, int64_t heads, int64_t window) {
    const std::string prefix = kTrunk + "blocks." + std::to_string(index) + ".";
    graph_.set_scope("block." + std::to_string(index));
    const bool pool = width != x.channels();
    // Over the whole map the order of the tokens does not matter, unless they are pooled.
    if (window != 0) {
      x = with_windows(graph_, x, windows_fit(x.edge, window, pool) ? window : 1);
    } else if (pool) {
      x = with_windows(graph_, x, 1);
    }
    TokenMap normed = x;
    normed.rows = layers_.norm(x.rows, prefix + "norm1", kEpsilon);
    TokenMap shortcut = x;
    if (pool) {
      shortcut.rows = layers_.linear(normed.rows, prefix + "proj", width);
      shortcut = pool_tokens(graph_, shortcut);
    }
    TokenMap y = window_attention(layers_,
                                  normed,
                                  {.prefix = prefix + "attn",
                                   .heads = heads,
                                   .width = width,
                                   .window = window,
                                   .pool = pool});
    y.rows = graph_.add(shortcut.rows, y.rows);
    mlp_residual(y, prefix);
    return y;
  }

  void hiera() {
    const auto& h = options_.hiera;
    graph_.set_scope("patch");
    const OnnxValue patches =
        layers_.conv(image_, kTrunk + "patch_embed.proj", h.embed_dim, 7, 4, 3);
    const int64_t first =
        windows_fit(patches.size(2), h.window_spec[0], false) ? h.window_spec[0] : 1;
    TokenMap x = from_image(graph_, patches, first);
    x.rows = graph_.add(
        x.rows, graph_.initializer("position", constant_rows(hiera_position(x.edge), first)));

    std::vector<TokenMap> levels;
    int64_t index = 0, width = h.embed_dim, heads = h.num_heads;
    for (size_t stage = 0; stage < h.stages.size(); ++stage) {
      for (int64_t block = 0; block < h.stages[stage]; ++block, ++index) {
        const bool opens = block == 0 && stage > 0;
        if (opens) {
          width *= 2;
          heads *= 2;
        }
        // The block that opens a stage still has the window of the stage before.
        int64_t window = h.window_spec[opens ? stage - 1 : stage];
        if (std::count(h.global_blocks.begin(), h.global_blocks.end(), index) > 0) window = 0;
        x = hiera_block(std::move(x), index, width, heads, window);
      }
      levels.push_back(x);
    }
    hiera_neck(levels);
  }

  // A 1x1 convolution of the neck, followed by one of the decoder where `second` names it.
  TokenMap lateral(TokenMap x, int64_t number, const std::string& second, int64_t out) {
    const int64_t d = options_.d_model, c = x.channels();
    const std::string key = kNeck + std::to_string(number) + ".conv";
    at::Tensor w =
        as_torch(weights_.tensor(key + ".weight", {d, c, 1, 1})).view({d, c}).to(at::kDouble);
    at::Tensor b = as_torch(weights_.tensor(key + ".bias", {d})).to(at::kDouble);
    if (!second.empty()) {
      const at::Tensor w2 = as_torch(weights_.tensor(second + ".weight", {out, d, 1, 1}))
                                .view({out, d})
                                .to(at::kDouble);
      b = at::mv(w2, b) + as_torch(weights_.tensor(second + ".bias", {out})).to(at::kDouble);
      w = at::mm(w2, w);
    }
    const std::string name = second.empty() ? key : second;
    x.rows = graph_.add(graph_.matmul(x.rows, graph_.initializer(name + ".weight", copy_of(w.t()))),
                        graph_.initializer(name + ".bias", copy_of(b)));
    return x;
  }

  // Only the coarsest level is added to the one below it; the fine levels stand alone
  // (fpn_top_down_levels 2 and 3 in every published configuration).
  void hiera_neck(const std::vector<TokenMap>& levels) {
    graph_.set_scope("neck");
    const int64_t d = options_.d_model, g = options_.grid();
    if (options_.high_res_features) {
      const TokenMap f0 = lateral(levels[0], 3, "sam_mask_decoder.conv_s0", d / 8);
      const TokenMap f1 = lateral(levels[1], 2, "sam_mask_decoder.conv_s1", d / 4);
      graph_.output(as_image(graph_, f0), "f0", {int64_t{1}, d / 8, 4 * g, 4 * g}, "fine features");
      graph_.output(
          as_image(graph_, f1), "f1", {int64_t{1}, d / 4, 2 * g, 2 * g}, "middle features");
    }
    const OnnxValue coarse = as_image(graph_, lateral(levels[3], 0, "", d));
    const OnnxValue f2 = graph_.add(as_image(graph_, lateral(levels[2], 1, "", d)),
                                    graph_.upsample_nearest(coarse, 2));
    graph_.output(f2, "f2", {int64_t{1}, d, g, g}, "coarse features");
  }

  // Absolute positions, stored with a row for a class token that the network does not have.
  OnnxTensor vit_position(int64_t edge) {
    const auto& v = options_.vit;
    const int64_t stored = v.position_grid;
    const OnnxTensor table =
        weights_.tensor(kTrunk + "pos_embed", {1, stored * stored + 1, v.embed_dim});
    const at::Tensor map = as_torch(table)
                               .slice(1, 1)
                               .reshape({1, stored, stored, v.embed_dim})
                               .permute({0, 3, 1, 2})
                               .contiguous();
    return copy_of(resized_bicubic(map, edge));
  }

  void vit() {
    const auto& v = options_.vit;
    graph_.set_scope("patch");
    const OnnxValue patches =
        layers_.conv(image_, kTrunk + "patch_embed.proj", v.embed_dim, v.patch, v.patch, 0);
    TokenMap x = from_image(graph_, patches, 1);
    x.rows =
        graph_.add(x.rows, graph_.initializer("position", constant_rows(vit_position(x.edge), 1)));
    for (int64_t index = 0; index < v.depth; ++index) {
      const std::string prefix = kTrunk + "blocks." + std::to_string(index) + ".";
      graph_.set_scope("block." + std::to_string(index));
      const bool global = std::count(v.global_blocks.begin(), v.global_blocks.end(), index) > 0;
      const int64_t window = global ? 0 : v.window;
      if (!global) x = with_windows(graph_, x, windows_fit(x.edge, window, false) ? window : 1);
      TokenMap y = x;
      y.rows = layers_.norm(x.rows, prefix + "norm1", kEpsilon);
      y = window_attention(layers_,
                           y,
                           {.prefix = prefix + "attn",
                            .heads = v.num_heads,
                            .width = v.embed_dim,
                            .window = window,
                            .pool = false});
      x.rows = graph_.add(x.rows, y.rows);
      mlp_residual(x, prefix);
    }
    vit_neck(with_windows(graph_, x, 1));
  }

  void vit_neck(TokenMap x) {
    graph_.set_scope("neck");
    const int64_t d = options_.d_model, g = options_.grid(), c = x.channels();
    const OnnxTensor w = weights_.tensor(kNeck + "0.conv_1x1.weight", {d, c, 1, 1});
    x.rows = graph_.matmul(
        x.rows,
        graph_.initializer(kNeck + "0.conv_1x1.weight", copy_of(as_torch(w).view({d, c}).t())));
    x.rows = layers_.norm(x.rows, kNeck + "0.norm_0", kEpsilon);
    const OnnxValue map = layers_.conv(as_image(graph_, x), kNeck + "0.conv_3x3", d, 3, 1, 1);
    const OnnxValue f2 = layers_.map_norm(map, kNeck + "0.norm_1", kEpsilon);
    graph_.output(f2, "f2", {int64_t{1}, d, g, g}, "coarse features");
  }

  OnnxGraph graph_;
  OnnxWeights weights_;
  OnnxLayers layers_;
  const Sam2Options& options_;
  OnnxValue image_;
};

}  // namespace

OnnxGraph sam2_encoder_graph(const models::sam2::Sam2Options& options,
                             const weights::StateDict& state) {
  return EncoderBuilder(options, state).build();
}

}  // namespace voxloom::engine
