#include "voxloom/image/slice_view.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/contour.h"
#include "voxloom/image/resize.h"

namespace voxloom::image {
namespace {

// Axes of columns, rows and the fixed coordinate.
std::array<size_t, 3> axes_of(Plane plane) {
  switch (plane) {
    case Plane::kAxial:
      return {0, 1, 2};
    case Plane::kCoronal:
      return {0, 2, 1};
    case Plane::kSagittal:
      return {1, 2, 0};
  }
  throw Error(ErrorCode::kInternal, "unknown plane");
}

template <class T>
std::vector<T> cut(std::span<const T> voxels, const Geometry& g, Plane plane, int64_t index) {
  const PlaneGrid grid = plane_grid(g, plane, index);
  VOXLOOM_CHECK(voxels.size() == static_cast<size_t>(g.voxel_count()),
                ErrorCode::kInvalidArgument,
                "plane: input must hold {} voxels, got {}",
                g.size,
                voxels.size());
  const auto axes = axes_of(plane);
  const Index3 strides{1, g.size[0], g.size[0] * g.size[1]};
  std::vector<T> out;
  out.reserve(static_cast<size_t>(grid.width * grid.height));
  for (int64_t row = 0; row < grid.height; ++row) {
    const int64_t along = plane == Plane::kAxial ? row : grid.height - 1 - row;
    const T* const line = voxels.data() + along * strides[axes[1]] + index * strides[axes[2]];
    for (int64_t column = 0; column < grid.width; ++column) {
      out.push_back(line[column * strides[axes[0]]]);
    }
  }
  return out;
}

}  // namespace

std::array<double, 2> PlaneGrid::pixel_of(const Vec3& voxel) const {
  const auto axes = axes_of(plane);
  const double row = voxel[axes[1]];
  return {voxel[axes[0]], plane == Plane::kAxial ? row : static_cast<double>(height - 1) - row};
}

PlaneGrid plane_grid(const Geometry& g, Plane plane, int64_t index) {
  const auto axes = axes_of(plane);
  VOXLOOM_CHECK(index >= 0 && index < g.size[axes[2]],
                ErrorCode::kInvalidArgument,
                "plane: index must lie within [0, {}), got {}",
                g.size[axes[2]],
                index);
  return {
      plane, index, g.size[axes[0]], g.size[axes[1]], g.spacing_mm[axes[0]], g.spacing_mm[axes[1]]};
}

std::vector<uint8_t> cut_plane(std::span<const uint8_t> voxels,
                               const Geometry& g,
                               Plane plane,
                               int64_t index) {
  return cut(voxels, g, plane, index);
}

std::vector<uint16_t> cut_plane(std::span<const uint16_t> voxels,
                                const Geometry& g,
                                Plane plane,
                                int64_t index) {
  return cut(voxels, g, plane, index);
}

SliceView::SliceView(Canvas& canvas, const PixelRect& rect, const PlaneGrid& grid)
    : canvas_(canvas), grid_(grid) {
  VOXLOOM_CHECK(rect.width > 0 && rect.height > 0,
                ErrorCode::kInvalidArgument,
                "slice view: rectangle must not be empty, got {}x{}",
                rect.width,
                rect.height);
  const double width_mm = static_cast<double>(grid.width) * grid.spacing_x_mm;
  const double height_mm = static_cast<double>(grid.height) * grid.spacing_y_mm;
  const double scale = std::min(static_cast<double>(rect.width) / width_mm,
                                static_cast<double>(rect.height) / height_mm);
  picture_.width = std::clamp<int64_t>(std::llround(width_mm * scale), 1, rect.width);
  picture_.height = std::clamp<int64_t>(std::llround(height_mm * scale), 1, rect.height);
  picture_.x = rect.x + (rect.width - picture_.width) / 2;
  picture_.y = rect.y + (rect.height - picture_.height) / 2;
}

std::array<int64_t, 2> SliceView::canvas_pixel(const std::array<double, 2>& pixel) const {
  const double sx = static_cast<double>(picture_.width) / static_cast<double>(grid_.width);
  const double sy = static_cast<double>(picture_.height) / static_cast<double>(grid_.height);
  return {picture_.x + static_cast<int64_t>(std::floor((pixel[0] + 0.5) * sx)),
          picture_.y + static_cast<int64_t>(std::floor((pixel[1] + 0.5) * sy))};
}

void SliceView::draw_image(std::span<const uint8_t> grey) {
  const auto shown =
      resize_bicubic(grey, grid_.width, grid_.height, picture_.width, picture_.height);
  for (int64_t y = 0; y < picture_.height; ++y) {
    for (int64_t x = 0; x < picture_.width; ++x) {
      const uint8_t v = shown[static_cast<size_t>(y * picture_.width + x)];
      canvas_.set(picture_.x + x, picture_.y + y, {v, v, v});
    }
  }
}

void SliceView::draw_labels(std::span<const uint16_t> labels, const OverlayStyle& style) {
  const auto shown =
      resize_nearest(labels, grid_.width, grid_.height, picture_.width, picture_.height);
  std::vector<uint16_t> values(shown.begin(), shown.end());
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<uint8_t> mask(shown.size());
  for (const uint16_t value : values) {
    if (value == 0) continue;
    for (size_t i = 0; i < shown.size(); ++i) mask[i] = shown[i] == value;
    const auto outline =
        style.outline_pixels > 0
            ? inner_boundary(mask, picture_.width, picture_.height, style.outline_pixels)
            : std::vector<uint8_t>(mask.size(), 0);
    const Color color = label_color(value);
    for (size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] == 0) continue;
      const auto n = static_cast<int64_t>(i);
      canvas_.blend(picture_.x + n % picture_.width,
                    picture_.y + n / picture_.width,
                    color,
                    outline[i] != 0 ? 1.0 : style.opacity);
    }
  }
}

void SliceView::draw_click(const Vec3& voxel, bool positive) {
  const auto at = canvas_pixel(grid_.pixel_of(voxel));
  canvas_.mark(at[0], at[1], positive);
}

void SliceView::draw_box(const Vec3& lo, const Vec3& hi, Color color, int64_t thickness) {
  const auto a = grid_.pixel_of(lo), b = grid_.pixel_of(hi);
  // From the outer edge of the first pixel to that of the last.
  const auto from = canvas_pixel({std::min(a[0], b[0]) - 0.5, std::min(a[1], b[1]) - 0.5});
  const auto to = canvas_pixel({std::max(a[0], b[0]) + 0.5, std::max(a[1], b[1]) + 0.5});
  canvas_.frame({from[0],
                 from[1],
                 std::max<int64_t>(1, to[0] - from[0]),
                 std::max<int64_t>(1, to[1] - from[1])},
                color,
                thickness);
}

}  // namespace voxloom::image
