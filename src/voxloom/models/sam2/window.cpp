#include "voxloom/models/sam2/window.h"

#include <ATen/ATen.h>

namespace voxloom::models::sam2 {

WindowGrid WindowGrid::of(int64_t height, int64_t width, int64_t window) {
  if (window == 0) return {height, width, height, width, 1, 1};
  return {
      height, width, window, window, (height + window - 1) / window, (width + window - 1) / window};
}

WindowGrid WindowGrid::pooled() const {
  return {height / 2, width / 2, edge / 2, edge_x / 2, rows, columns};
}

at::Tensor split_windows(const at::Tensor& x, const WindowGrid& grid, const at::Tensor& fill) {
  if (grid.rows == 1 && grid.columns == 1 && grid.edge == grid.height &&
      grid.edge_x == grid.width) {
    return x;
  }
  const int64_t batch = x.size(0);
  const int64_t channels = x.size(3);
  const int64_t padded_height = grid.rows * grid.edge;
  const int64_t padded_width = grid.columns * grid.edge_x;
  at::Tensor map = x;
  if (padded_width > grid.width) {
    map = at::cat({map, fill.expand({batch, grid.height, padded_width - grid.width, channels})}, 2);
  }
  if (padded_height > grid.height) {
    map = at::cat({map, fill.expand({batch, padded_height - grid.height, padded_width, channels})},
                  1);
  }
  return map.reshape({batch, grid.rows, grid.edge, grid.columns, grid.edge_x, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({batch * grid.rows * grid.columns, grid.edge, grid.edge_x, channels});
}

at::Tensor join_windows(const at::Tensor& windows, const WindowGrid& grid) {
  const int64_t batch = windows.size(0) / (grid.rows * grid.columns);
  const int64_t channels = windows.size(3);
  return windows.reshape({batch, grid.rows, grid.columns, grid.edge, grid.edge_x, channels})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({batch, grid.rows * grid.edge, grid.columns * grid.edge_x, channels})
      .slice(1, 0, grid.height)
      .slice(2, 0, grid.width);
}

}  // namespace voxloom::models::sam2
