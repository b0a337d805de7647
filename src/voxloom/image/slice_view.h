#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/image/canvas.h"
#include "voxloom/image/volume.h"

namespace voxloom::image {

/// How a volume is cut. The names hold for volumes stored slice by slice from feet to head; others
/// are cut along the same index axes.
enum class Plane {
  kAxial,     ///< z fixed: columns x, rows y.
  kCoronal,   ///< y fixed: columns x, rows z, the last slice on top.
  kSagittal,  ///< x fixed: columns y, rows z, the last slice on top.
};

/// One cut: its pixel counts and spacing, and where voxels are in it.
struct PlaneGrid {
  Plane plane = Plane::kAxial;
  int64_t index = 0;  ///< Of the fixed axis.
  int64_t width = 0, height = 0;
  double spacing_x_mm = 1, spacing_y_mm = 1;

  /// (column, row) of a voxel; its fixed coordinate is not looked at. May be fractional.
  [[nodiscard]] std::array<double, 2> pixel_of(const Vec3& voxel) const;
};

/// Throws kInvalidArgument when `index` lies outside the volume.
[[nodiscard]] PlaneGrid plane_grid(const Geometry& g, Plane plane, int64_t index);

/// The pixels of one cut, [height, width], of voxels [D, H, W] on geometry `g`.
[[nodiscard]] std::vector<uint8_t> cut_plane(std::span<const uint8_t> voxels,
                                             const Geometry& g,
                                             Plane plane,
                                             int64_t index);
[[nodiscard]] std::vector<uint16_t> cut_plane(std::span<const uint16_t> voxels,
                                              const Geometry& g,
                                              Plane plane,
                                              int64_t index);

struct OverlayStyle {
  double opacity = 0.25;       ///< Of the label's area, 0 ... 1.
  int64_t outline_pixels = 2;  ///< Canvas pixels; 0: no outline.
};

/// Draws one cut into a rectangle of a canvas: as large as fits, centred, with square millimetres,
/// so that thick slices look as thick as they are.
class SliceView {
 public:
  /// Throws kInvalidArgument for an empty rectangle.
  SliceView(Canvas& canvas, const PixelRect& rect, const PlaneGrid& grid);

  /// Where the picture lies on the canvas.
  [[nodiscard]] const PixelRect& picture() const { return picture_; }
  /// Canvas pixel of a (fractional) column and row; whole numbers are pixel centres.
  [[nodiscard]] std::array<int64_t, 2> canvas_pixel(const std::array<double, 2>& pixel) const;

  /// grey [height, width], enlarged or reduced bicubically.
  void draw_image(std::span<const uint8_t> grey);
  /// labels [height, width]: each value's area tinted and outlined in label_color(value).
  void draw_labels(std::span<const uint16_t> labels, const OverlayStyle& style = {});
  /// A click at a voxel.
  void draw_click(const Vec3& voxel, bool positive);
  /// The box of voxels lo ... hi, both ends inside.
  void draw_box(const Vec3& lo, const Vec3& hi, Color color, int64_t thickness = 1);

 private:
  Canvas& canvas_;
  PlaneGrid grid_;
  PixelRect picture_;
};

}  // namespace voxloom::image
