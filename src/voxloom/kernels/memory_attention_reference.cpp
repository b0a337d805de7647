#include <algorithm>
#include <cmath>
#include <vector>

#include "voxloom/kernels/memory_attention.h"

namespace voxloom::kernels {
namespace {

using Rows = std::vector<double>;

Rows widen(const float* x, int64_t count) {
  return Rows(x, x + count);
}

Rows linear(const Rows& x, const LinearWeights& w, int64_t in, int64_t out) {
  const auto rows = static_cast<int64_t>(x.size()) / in;
  Rows y(static_cast<size_t>(rows * out));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      auto sum = static_cast<double>(w.bias[o]);
      for (int64_t i = 0; i < in; ++i) {
        sum += x[r * in + i] * static_cast<double>(w.weight[o * in + i]);
      }
      y[r * out + o] = sum;
    }
  }
  return y;
}

Rows layer_norm(const Rows& x, const NormWeights& w, int64_t width, double epsilon) {
  Rows y(x.size());
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(width)) {
    double mean = 0.0;
    double square = 0.0;
    for (int64_t i = 0; i < width; ++i) mean += x[row + i] / static_cast<double>(width);
    for (int64_t i = 0; i < width; ++i) {
      square += (x[row + i] - mean) * (x[row + i] - mean) / static_cast<double>(width);
    }
    const double deviation = std::sqrt(square + epsilon);
    for (int64_t i = 0; i < width; ++i) {
      y[row + i] = (x[row + i] - mean) / deviation * static_cast<double>(w.weight[i]) +
                   static_cast<double>(w.bias[i]);
    }
  }
  return y;
}

// Turns row `row` of x as the token at (token % width, token / width).
void rotate(Rows& x, int64_t row, int64_t token, const MemoryAttentionShape& shape) {
  const int64_t half_pairs = shape.channels / 4;
  const double position[2] = {static_cast<double>(token % shape.grid_width),
                              static_cast<double>(token / shape.grid_width)};
  for (int64_t pair = 0; pair < 2 * half_pairs; ++pair) {
    const auto index = static_cast<double>(pair % half_pairs);
    const double frequency =
        std::pow(shape.rope_theta, -4.0 * index / static_cast<double>(shape.channels));
    const double angle = position[pair / half_pairs] * frequency;
    double& a = x[row * shape.channels + 2 * pair];
    double& b = x[row * shape.channels + 2 * pair + 1];
    const double turned = a * std::cos(angle) - b * std::sin(angle);
    b = a * std::sin(angle) + b * std::cos(angle);
    a = turned;
  }
}

Rows attend(const Rows& q, const Rows& k, const Rows& v, int64_t channels) {
  const auto queries = static_cast<int64_t>(q.size()) / channels;
  const auto keys = static_cast<int64_t>(k.size()) / channels;
  const double scale = 1.0 / std::sqrt(static_cast<double>(channels));
  Rows out(q.size(), 0.0);
  Rows p(static_cast<size_t>(keys));
  for (int64_t n = 0; n < queries; ++n) {
    for (int64_t m = 0; m < keys; ++m) {
      double dot = 0.0;
      for (int64_t c = 0; c < channels; ++c) dot += q[n * channels + c] * k[m * channels + c];
      p[m] = dot * scale;
    }
    const double top = *std::max_element(p.begin(), p.end());
    double total = 0.0;
    for (double& value : p) total += value = std::exp(value - top);
    for (int64_t m = 0; m < keys; ++m) {
      for (int64_t c = 0; c < channels; ++c) {
        out[n * channels + c] += p[m] / total * v[m * channels + c];
      }
    }
  }
  return out;
}

void add(Rows& x, const Rows& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

}  // namespace

void memory_attention_reference(const MemoryAttentionShape& shape,
                                const MemoryAttentionWeights& weights,
                                const float* x,
                                std::span<const RawMemory> memories,
                                const PointerTokens& pointers,
                                float* out) {
  const int64_t c = shape.channels;
  const int64_t cm = shape.memory_channels;
  const int64_t tokens = shape.grid_height * shape.grid_width;

  // The bank: values, values plus position, and the grid token of each row (-1: not rotated).
  Rows bank;
  Rows positioned;
  std::vector<int64_t> grid_token;
  for (const RawMemory& memory : memories) {
    for (int64_t i = 0; i < memory.rows * cm; ++i) {
      const auto value = static_cast<double>(memory.memory[i]);
      bank.push_back(value);
      positioned.push_back(
          value + static_cast<double>(memory.position[i]) +
          static_cast<double>(weights.temporal[memory.temporal_row * cm + i % cm]));
    }
    for (int64_t r = 0; r < memory.rows; ++r) grid_token.push_back(r % tokens);
  }
  for (int64_t i = 0; i < pointers.rows * cm; ++i) {
    const auto value = static_cast<double>(pointers.tokens[i]);
    bank.push_back(value);
    positioned.push_back(value + static_cast<double>(pointers.positions[i]));
  }
  grid_token.resize(grid_token.size() + static_cast<size_t>(pointers.rows), -1);

  Rows state = widen(x, tokens * c);
  for (const MemoryAttentionLayerWeights& w : weights.layers) {
    Rows y = layer_norm(state, w.norm1, c, static_cast<double>(shape.norm_epsilon));
    Rows q = linear(y, w.self_q, c, c);
    Rows k = linear(y, w.self_k, c, c);
    for (int64_t n = 0; n < tokens; ++n) {
      rotate(q, n, n, shape);
      rotate(k, n, n, shape);
    }
    add(state, linear(attend(q, k, linear(y, w.self_v, c, c), c), w.self_out, c, c));

    y = layer_norm(state, w.norm2, c, static_cast<double>(shape.norm_epsilon));
    q = linear(y, w.cross_q, c, c);
    for (int64_t n = 0; n < tokens; ++n) rotate(q, n, n, shape);
    k = linear(positioned, w.cross_k, cm, c);
    for (size_t m = 0; m < grid_token.size(); ++m) {
      if (grid_token[m] >= 0) rotate(k, static_cast<int64_t>(m), grid_token[m], shape);
    }
    add(state, linear(attend(q, k, linear(bank, w.cross_v, cm, c), c), w.cross_out, c, c));

    y = layer_norm(state, w.norm3, c, static_cast<double>(shape.norm_epsilon));
    Rows hidden = linear(y, w.linear1, c, shape.hidden_channels);
    for (double& value : hidden) value = std::max(value, 0.0);
    add(state, linear(hidden, w.linear2, shape.hidden_channels, c));
  }
  state = layer_norm(state, weights.norm, c, static_cast<double>(shape.norm_epsilon));
  std::transform(
      state.begin(), state.end(), out, [](double value) { return static_cast<float>(value); });
}

}  // namespace voxloom::kernels
