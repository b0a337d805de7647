#include "voxloom/kernels/memory_attention_layer.h"

#include <algorithm>
#include <utility>

#include "voxloom/core/error.h"

namespace voxloom::kernels {
namespace {

// Two chained layers, as one: outer (inner x + inner_bias) + outer_bias. In double, rounded once.
struct Folded {
  std::vector<float> weight;
  std::vector<float> bias;
};

Folded fold(const LinearWeights& outer,
            const LinearWeights& inner,
            int64_t in,
            int64_t middle,
            int64_t out) {
  Folded folded{std::vector<float>(static_cast<size_t>(out * in)),
                std::vector<float>(static_cast<size_t>(out))};
  std::vector<double> sums(static_cast<size_t>(in));
  for (int64_t o = 0; o < out; ++o) {
    std::fill(sums.begin(), sums.end(), 0.0);
    auto bias = static_cast<double>(outer.bias[o]);
    for (int64_t m = 0; m < middle; ++m) {
      const auto w = static_cast<double>(outer.weight[o * middle + m]);
      bias += w * static_cast<double>(inner.bias[m]);
      for (int64_t i = 0; i < in; ++i) {
        sums[i] += w * static_cast<double>(inner.weight[m * in + i]);
      }
    }
    for (int64_t i = 0; i < in; ++i) {
      folded.weight[static_cast<size_t>(o * in + i)] = static_cast<float>(sums[i]);
    }
    folded.bias[static_cast<size_t>(o)] = static_cast<float>(bias);
  }
  return folded;
}

}  // namespace

void check_memory_attention(const MemoryAttentionShape& s, const MemoryAttentionWeights& weights) {
  VOXLOOM_CHECK(s.channels > 0 && s.channels % 4 == 0 && s.memory_channels > 0 &&
                    s.hidden_channels > 0 && s.grid_height > 0 && s.grid_width > 0 &&
                    s.temporal_rows > 0,
                ErrorCode::kInvalidArgument,
                "memory attention: sizes must be positive and channels a multiple of 4, got {} "
                "channels, {} memory, {} hidden, grid {} x {}, {} temporal rows",
                s.channels,
                s.memory_channels,
                s.hidden_channels,
                s.grid_height,
                s.grid_width,
                s.temporal_rows);
  VOXLOOM_CHECK(!weights.layers.empty() && weights.temporal != nullptr &&
                    weights.norm.weight != nullptr && weights.norm.bias != nullptr,
                ErrorCode::kInvalidArgument,
                "memory attention: must have layers, a temporal table and a last norm, got {} "
                "layers and a null pointer",
                weights.layers.size());
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    const MemoryAttentionLayerWeights& w = weights.layers[l];
    for (const LinearWeights* linear : {&w.self_q,
                                        &w.self_k,
                                        &w.self_v,
                                        &w.self_out,
                                        &w.cross_q,
                                        &w.cross_k,
                                        &w.cross_v,
                                        &w.cross_out,
                                        &w.linear1,
                                        &w.linear2}) {
      VOXLOOM_CHECK(linear->weight != nullptr && linear->bias != nullptr,
                    ErrorCode::kInvalidArgument,
                    "memory attention: layer {} must have all weights, got a null pointer",
                    l);
    }
    for (const NormWeights* norm : {&w.norm1, &w.norm2, &w.norm3}) {
      VOXLOOM_CHECK(norm->weight != nullptr && norm->bias != nullptr,
                    ErrorCode::kInvalidArgument,
                    "memory attention: layer {} must have all norms, got a null pointer",
                    l);
    }
  }
}

std::vector<PackedLayer> pack_layers(const MemoryAttentionShape& shape,
                                     const MemoryAttentionWeights& weights,
                                     Precision precision) {
  std::vector<PackedLayer> layers;
  const int64_t c = shape.channels;
  const int64_t cm = shape.memory_channels;
  const int64_t hidden = shape.hidden_channels;
  const auto pack = [precision](const LinearWeights& w, int64_t in, int64_t out) {
    return PackedLinear(w.weight, w.bias, in, out, precision);
  };
  const auto pack_folded = [precision](const Folded& w, int64_t in, int64_t out) {
    return PackedLinear(w.weight.data(), w.bias.data(), in, out, precision);
  };
  for (const MemoryAttentionLayerWeights& w : weights.layers) {
    PackedLayer layer;
    layer.norm1 = PackedNorm(w.norm1, c);
    layer.norm2 = PackedNorm(w.norm2, c);
    layer.norm3 = PackedNorm(w.norm3, c);
    layer.self_q = pack(w.self_q, c, c);
    layer.self_k = pack(w.self_k, c, c);
    layer.self_value = pack_folded(fold(w.self_out, w.self_v, c, c, c), c, c);
    layer.cross_q = pack(w.cross_q, c, c);
    layer.cross_key = PackedLinear(w.cross_k.weight, w.cross_k.bias, cm, c, Precision::kF32);
    layer.cross_value = pack_folded(fold(w.cross_out, w.cross_v, cm, c, c), cm, c);
    layer.linear1 = pack(w.linear1, c, hidden);
    layer.linear2 = pack(w.linear2, hidden, c);
    layer.temporal_key.resize(static_cast<size_t>(shape.temporal_rows * c));
    PackedLinear(w.cross_k.weight, nullptr, cm, c, Precision::kF32)
        .apply(
            weights.temporal, shape.temporal_rows, layer.temporal_key.data(), LinearOutput::kPlain);
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace voxloom::kernels
