#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace voxloom::models::sam2 {

/// How a map is cut into square windows: padded at the bottom and right to multiples of `edge`.
struct WindowGrid {
  int64_t height = 0, width = 0;  ///< Of the map.
  int64_t edge = 0;               ///< Window edge in y; the whole height without windows.
  int64_t edge_x = 0;
  int64_t rows = 1, columns = 1;  ///< Windows.

  /// `window` 0: one window, the whole map.
  static WindowGrid of(int64_t height, int64_t width, int64_t window);
  /// The grid after a 2x2 pool inside each window; odd edges round down.
  [[nodiscard]] WindowGrid pooled() const;
};

/// x [B, H, W, C] -> [B * rows * columns, edge, edge_x, C]. The padding is filled with `fill`
/// [C]: padded tokens take part in attention, with queries, keys and values equal to the bias of
/// their projection.
[[nodiscard]] at::Tensor split_windows(const at::Tensor& x,
                                       const WindowGrid& grid,
                                       const at::Tensor& fill);

/// Undoes split_windows and crops the padding: -> [B, H, W, C].
[[nodiscard]] at::Tensor join_windows(const at::Tensor& windows, const WindowGrid& grid);

}  // namespace voxloom::models::sam2
