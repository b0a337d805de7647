#include "voxloom/engine/onnx_weights.h"
#include "voxloom/engine/sam2_onnx.h"

namespace voxloom::engine {

namespace {

constexpr float kEpsilon = 1e-6F;
constexpr int kMaskLevels = 4, kFuserBlocks = 2;

class MemoryEncoderBuilder {
 public:
  MemoryEncoderBuilder(const models::sam2::Sam2Options& options, const weights::StateDict& state)
      : graph_("sam2_memory_encoder", "SAM 2 memory encoder (arXiv:2408.00714)"),
        weights_(state),
        layers_(graph_, weights_),
        options_(options) {}

  OnnxGraph build() {
    const int64_t g = options_.grid(), d = options_.d_model;
    const OnnxValue f2 = graph_.input(
        "f2", OnnxType::kF32, {int64_t{1}, d, g, g}, "coarse features, without memory");
    const OnnxValue mask = graph_.input("mask",
                                        OnnxType::kF32,
                                        {int64_t{1}, int64_t{1}, 16 * g, 16 * g},
                                        "scale * probability + bias, from the resized mask logits");
    graph_.set_scope("memory/features");
    OnnxValue x = layers_.conv(f2, key("pix_feat_proj"), d, 1, 1, 0);
    x = graph_.add(x, downsampled(mask));
    for (int block = 0; block < kFuserBlocks; ++block) x = fuse(x, block);
    graph_.set_scope("memory/out");
    x = layers_.conv(x, key("out_proj"), options_.memory_dim, 1, 1, 0);
    graph_.output(x, "memory", {int64_t{1}, options_.memory_dim, g, g}, "the memory map");
    return std::move(graph_);
  }

 private:
  static std::string key(const std::string& name) { return "memory_encoder." + name; }

  OnnxValue downsampled(OnnxValue x) {
    graph_.set_scope("memory/mask");
    int64_t width = 1;
    for (int level = 0; level < kMaskLevels; ++level) {
      // Three entries a level in the checkpoint's sequence: convolution, norm, GELU.
      const int index = 3 * level;
      width *= 4;
      x = layers_.conv(x, mask_key(index), width, 3, 2, 1);
      x = graph_.gelu(layers_.map_norm(x, mask_key(index + 1), kEpsilon));
    }
    return layers_.conv(x, mask_key(3 * kMaskLevels), options_.d_model, 1, 1, 0);
  }

  static std::string mask_key(int index) {
    return key("mask_downsampler.encoder." + std::to_string(index));
  }

  // ConvNeXt block; its linear layers are 1x1 convolutions here, so that nothing is transposed.
  OnnxValue fuse(const OnnxValue& x, int block) {
    const std::string prefix = key("fuser.layers." + std::to_string(block));
    graph_.set_scope("memory/fuser." + std::to_string(block));
    const int64_t d = options_.d_model;
    OnnxValue y = graph_.conv(x,
                              layers_.weight(prefix + ".dwconv.weight", {d, 1, 7, 7}),
                              layers_.weight(prefix + ".dwconv.bias", {d}),
                              1,
                              3,
                              d);
    y = layers_.map_norm(y, prefix + ".norm", kEpsilon);
    y = graph_.gelu(pointwise(y, prefix + ".pwconv1", 4 * d));
    y = pointwise(y, prefix + ".pwconv2", d);
    OnnxTensor gamma = weights_.tensor(prefix + ".gamma", {d});
    gamma.shape = {1, d, 1, 1};
    return graph_.add(x, graph_.mul(y, graph_.initializer(prefix + ".gamma", gamma)));
  }

  OnnxValue pointwise(const OnnxValue& x, const std::string& prefix, int64_t out) {
    OnnxTensor weight = weights_.tensor(prefix + ".weight", {out, x.size(1)});
    weight.shape = {out, x.size(1), 1, 1};
    return graph_.conv(x,
                       graph_.initializer(prefix + ".weight", weight),
                       layers_.weight(prefix + ".bias", {out}),
                       1,
                       0);
  }

  OnnxGraph graph_;
  OnnxWeights weights_;
  OnnxLayers layers_;
  const models::sam2::Sam2Options options_;
};

}  // namespace

OnnxGraph sam2_memory_graph(const models::sam2::Sam2Options& options,
                            const weights::StateDict& state) {
  return MemoryEncoderBuilder(options, state).build();
}

}  // namespace voxloom::engine
