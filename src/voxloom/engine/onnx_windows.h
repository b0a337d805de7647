#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/engine/onnx_weights.h"

namespace voxloom::engine {

/// A square map of tokens kept as rows [edge * edge, C], either line by line (window 1) or window
/// by window (each window line by line, the windows line by line).
struct TokenMap {
  OnnxValue rows;
  int64_t edge = 0;
  int64_t window = 1;

  [[nodiscard]] int64_t channels() const { return rows.size(1); }
  [[nodiscard]] bool divides(int64_t other) const { return edge % other == 0; }
};

/// The same tokens in windows of another edge, which divides the map's (1: line by line).
[[nodiscard]] TokenMap with_windows(OnnxGraph& graph, const TokenMap& map, int64_t window);

/// 2x2 maximum; the window (if any) is even and halves with the map.
[[nodiscard]] TokenMap pool_tokens(OnnxGraph& graph, const TokenMap& map);

/// As an image [1, C, edge, edge].
[[nodiscard]] OnnxValue as_image(OnnxGraph& graph, const TokenMap& map);

/// From an image [1, C, edge, edge], in windows.
[[nodiscard]] TokenMap from_image(OnnxGraph& graph, const OnnxValue& image, int64_t window);

/// Constants laid out as an image [1, C, edge, edge] to rows in windows, at export time.
[[nodiscard]] OnnxTensor constant_rows(const OnnxTensor& image, int64_t window);

/// Where the tokens of a map, padded to whole windows, lie in the rows of the map itself, window by
/// window; padded tokens point to the row after the last.
[[nodiscard]] std::vector<int64_t> window_rows(int64_t edge, int64_t window);

/// The reverse: for each token of the map, line by line, its row among the windows' rows.
/// `padded` is the edge that the windows cover.
[[nodiscard]] std::vector<int64_t> line_rows(int64_t edge, int64_t padded, int64_t window);

/// Multi-head attention of one block, within windows or over the whole map.
struct WindowAttention {
  std::string prefix;  ///< Keys `prefix`.qkv.* and `prefix`.proj.*.
  int64_t heads = 1;
  int64_t width = 0;   ///< Channels after the block.
  int64_t window = 0;  ///< Edge in tokens before pooling; 0: the whole map.
  bool pool = false;   ///< 2x2 maximum of the queries.
};

/// softmax(q k^T / sqrt(d)) v with padded tokens taking part, as in the original: where the window
/// does not divide the map, the map is padded at its right and bottom with zeros after the norm,
/// which makes a padded token's q, k and v the bias of qkv. So qkv is computed for real tokens
/// only, one row that holds the bias stands for all padded ones, and windows are gathered.
///
/// map: normalised tokens -> the projected result; line by line where windows don't divide the map.
[[nodiscard]] TokenMap window_attention(OnnxLayers& layers,
                                        const TokenMap& map,
                                        const WindowAttention& options);

/// Whether window_attention() can keep `map` in windows of this size.
[[nodiscard]] bool windows_fit(int64_t edge, int64_t window, bool pool);

}  // namespace voxloom::engine
