#include "voxloom/engine/onnx_windows.h"

#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::engine {

namespace {

int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

OnnxValue pool_rows(OnnxGraph& graph, const OnnxValue& rows, int64_t count, int64_t edge) {
  const int64_t channels = rows.size(-1);
  const OnnxValue maps =
      graph.transpose(graph.reshape(rows, {count, edge, edge, channels}), {0, 3, 1, 2});
  const OnnxValue pooled = graph.transpose(graph.max_pool(maps, 2, 2), {0, 2, 3, 1});
  return graph.reshape(pooled, {count * (edge / 2) * (edge / 2), channels});
}

// The qkv projection split into its three thirds, with 1/sqrt(d) multiplied into the queries'.
struct Projections {
  OnnxTensor weight[3];  // [C, width]
  OnnxTensor bias[3];    // [width]
};

Projections split_projection(const OnnxWeights& weights,
                             const WindowAttention& options,
                             int64_t channels) {
  const int64_t width = options.width;
  const OnnxTensor w = weights.transposed(options.prefix + ".qkv.weight", 3 * width, channels);
  const OnnxTensor b = weights.tensor(options.prefix + ".qkv.bias", {3 * width});
  const double depth = static_cast<double>(width / options.heads);
  Projections result;
  for (int64_t part = 0; part < 3; ++part) {
    const double scale = part == 0 ? 1.0 / std::sqrt(depth) : 1.0;
    std::vector<float> matrix, bias;
    matrix.reserve(static_cast<size_t>(channels * width));
    for (int64_t row = 0; row < channels; ++row) {
      for (int64_t column = 0; column < width; ++column) {
        const size_t at = static_cast<size_t>(row * 3 * width + part * width + column);
        matrix.push_back(static_cast<float>(w.values[at] * scale));
      }
    }
    for (int64_t column = 0; column < width; ++column) {
      const size_t at = static_cast<size_t>(part * width + column);
      bias.push_back(static_cast<float>(b.values[at] * scale));
    }
    result.weight[part] = OnnxTensor::own({channels, width}, std::move(matrix));
    result.bias[part] = OnnxTensor::own({width}, std::move(bias));
  }
  return result;
}

OnnxValue split_heads(OnnxGraph& graph, const OnnxValue& rows, int64_t count, int64_t heads) {
  return graph.reshape(rows, {count, rows.size(0) / count, heads, rows.size(1) / heads});
}

// softmax(q k^T) v; q [B, M, h, d], k and v [B, N, h, d] -> [B, M, h, d].
OnnxValue mix_values(OnnxGraph& graph, const OnnxValue& q, const OnnxValue& k, const OnnxValue& v) {
  if (q.size(1) == q.size(2) && q.size(1) > 1) {
    // With as many queries as heads OpenVINO 2026.4's fused bf16 attention mixes up the two axes
    // (relative error 1, measured for 4 and 4). Scores the other way round are not fused.
    const OnnxValue scores =
        graph.matmul(graph.transpose(k, {0, 2, 1, 3}), graph.transpose(q, {0, 2, 3, 1}));
    const OnnxValue mixed =
        graph.matmul(graph.transpose(v, {0, 2, 3, 1}), graph.softmax(scores, 2));
    return graph.transpose(mixed, {0, 3, 1, 2});
  }
  const OnnxValue scores =
      graph.matmul(graph.transpose(q, {0, 2, 1, 3}), graph.transpose(k, {0, 2, 3, 1}));
  const OnnxValue mixed = graph.matmul(graph.softmax(scores, 3), graph.transpose(v, {0, 2, 1, 3}));
  return graph.transpose(mixed, {0, 2, 1, 3});
}

}  // namespace

std::vector<int64_t> window_rows(int64_t edge, int64_t window) {
  const int64_t padded = round_up(edge, window);
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(padded * padded));
  for (int64_t wy = 0; wy < padded; wy += window) {
    for (int64_t wx = 0; wx < padded; wx += window) {
      for (int64_t y = wy; y < wy + window; ++y) {
        for (int64_t x = wx; x < wx + window; ++x) {
          rows.push_back(y < edge && x < edge ? y * edge + x : edge * edge);
        }
      }
    }
  }
  return rows;
}

std::vector<int64_t> line_rows(int64_t edge, int64_t padded, int64_t window) {
  const int64_t across = padded / window;
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(edge * edge));
  for (int64_t y = 0; y < edge; ++y) {
    for (int64_t x = 0; x < edge; ++x) {
      const int64_t number = (y / window) * across + x / window;
      rows.push_back(number * window * window + (y % window) * window + x % window);
    }
  }
  return rows;
}

bool windows_fit(int64_t edge, int64_t window, bool pool) {
  return edge % window == 0 && (!pool || window % 2 == 0);
}

TokenMap with_windows(OnnxGraph& graph, const TokenMap& map, int64_t window) {
  if (map.window == window) return map;
  const int64_t c = map.channels();
  TokenMap result = map;
  if (map.window != 1) {
    const int64_t n = map.edge / map.window, w = map.window;
    const OnnxValue lines =
        graph.transpose(graph.reshape(map.rows, {n, n, w, w, c}), {0, 2, 1, 3, 4});
    result.rows = graph.reshape(lines, {map.edge * map.edge, c});
    result.window = 1;
  }
  if (window != 1) {
    const int64_t n = map.edge / window;
    const OnnxValue windows =
        graph.transpose(graph.reshape(result.rows, {n, window, n, window, c}), {0, 2, 1, 3, 4});
    result.rows = graph.reshape(windows, {map.edge * map.edge, c});
    result.window = window;
  }
  return result;
}

TokenMap pool_tokens(OnnxGraph& graph, const TokenMap& map) {
  const bool lines = map.window == 1;
  VOXLOOM_CHECK(lines || map.window % 2 == 0,
                ErrorCode::kInternal,
                "token map: pooled windows must be even, got {}",
                map.window);
  const int64_t edge = lines ? map.edge : map.window;
  const int64_t count = lines ? 1 : (map.edge / edge) * (map.edge / edge);
  return {pool_rows(graph, map.rows, count, edge), map.edge / 2, lines ? 1 : map.window / 2};
}

OnnxValue as_image(OnnxGraph& graph, const TokenMap& map) {
  const int64_t c = map.channels(), e = map.edge;
  if (map.window == 1) {
    return graph.transpose(graph.reshape(map.rows, {1, e, e, c}), {0, 3, 1, 2});
  }
  const int64_t n = e / map.window, w = map.window;
  return graph.reshape(graph.transpose(graph.reshape(map.rows, {n, n, w, w, c}), {4, 0, 2, 1, 3}),
                       {1, c, e, e});
}

TokenMap from_image(OnnxGraph& graph, const OnnxValue& image, int64_t window) {
  const int64_t c = image.size(1), e = image.size(2);
  const OnnxValue lines = graph.transpose(image, {0, 2, 3, 1});
  return with_windows(graph, {graph.reshape(lines, {e * e, c}), e, 1}, window);
}

OnnxTensor constant_rows(const OnnxTensor& image, int64_t window) {
  const int64_t c = image.shape.at(1), e = image.shape.at(2);
  std::vector<float> rows(static_cast<size_t>(c * e * e));
  size_t next = 0;
  for (int64_t row : window_rows(e, window)) {
    for (int64_t channel = 0; channel < c; ++channel) {
      rows[next++] = image.values[static_cast<size_t>(channel * e * e + row)];
    }
  }
  return OnnxTensor::own({e * e, c}, std::move(rows));
}

TokenMap window_attention(OnnxLayers& layers, const TokenMap& map, const WindowAttention& options) {
  OnnxGraph& graph = layers.graph();
  const int64_t edge = map.edge, width = options.width, heads = options.heads;
  const bool whole = options.window == 0;
  const int64_t window = whole ? edge : options.window;
  const bool fits = whole || windows_fit(edge, window, options.pool);
  VOXLOOM_CHECK(whole ? (!options.pool || map.window == 1) : map.window == (fits ? window : 1),
                ErrorCode::kInternal,
                "window attention '{}': tokens must come in windows of {}, got {}",
                options.prefix,
                window,
                map.window);
  const int64_t padded = round_up(edge, window);
  const int64_t count = (padded / window) * (padded / window);
  const int64_t tokens = window * window;

  const Projections qkv = split_projection(layers.weights(), options, map.channels());
  static constexpr const char* kNames[3] = {"q", "k", "v"};
  OnnxValue parts[3];
  for (size_t part = 0; part < 3; ++part) {
    const std::string name = options.prefix + "." + kNames[part];
    const OnnxValue bias = graph.initializer(name + ".bias", qkv.bias[part]);
    OnnxValue rows = graph.add(
        graph.matmul(map.rows, graph.initializer(name + ".weight", qkv.weight[part])), bias);
    if (!fits) {
      const OnnxValue padding = graph.initializer(
          name + ".padding", OnnxTensor{{1, width}, qkv.bias[part].values, qkv.bias[part].owner});
      rows =
          graph.gather(graph.concat({rows, padding}, 0), graph.ints(window_rows(edge, window)), 0);
    }
    parts[part] = rows;
  }

  int64_t out_window = window, out_tokens = tokens;
  if (options.pool) {
    parts[0] = pool_rows(graph, parts[0], count, window);
    out_window = window / 2;
    out_tokens = out_window * out_window;
  }
  const OnnxValue mixed = mix_values(graph,
                                     split_heads(graph, parts[0], count, heads),
                                     split_heads(graph, parts[1], count, heads),
                                     split_heads(graph, parts[2], count, heads));
  OnnxValue rows = graph.reshape(mixed, {count * out_tokens, width});

  const int64_t out_edge = options.pool ? edge / 2 : edge;
  TokenMap result{rows, out_edge, whole ? map.window : out_window};
  if (!fits) {
    // Windows of odd size lose a line when pooled, so that they cover a map of their own size.
    const int64_t cover = padded / window * out_window;
    result.rows = graph.gather(rows, graph.ints(line_rows(out_edge, cover, out_window)), 0);
    result.window = 1;
  }
  result.rows = layers.linear(result.rows, options.prefix + ".proj", width);
  return result;
}

}  // namespace voxloom::engine
