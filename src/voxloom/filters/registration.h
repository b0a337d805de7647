#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/filters/frame_view.h"

namespace voxloom::filters {

/// How a background is brought over a live frame (guidewire.md 2.6, after Meijering et al., IEEE
/// Trans. Medical Imaging 18, 1999). Lengths in px.
struct RegistrationOptions {
  int64_t grid = 32;             ///< One control point at most in each square of this side.
  int64_t templ = 31;            ///< Side of the matched square, odd.
  int64_t search = 8;            ///< Largest displacement on each axis.
  double gradient_share = 0.75;  ///< Control points have a gradient above this quantile.
  double min_ncc = 0.6;          ///< Worse matches are rejected ...
  double max_deviation = 3.0;    ///< ... and those that differ more from their neighbours' median.
  double field_sigma = 24.0;     ///< Of the Gaussian that spreads the displacements.
};

/// A frame, and what it is matched by: noise of a low dose would hide that two places are alike, so
/// both levels are smoothed.
struct FramePyramid {
  int64_t width = 0, height = 0;
  std::vector<float> full;
  std::vector<float> smooth;  ///< [height, width] binomial of 5x5 px
  std::vector<float> half;    ///< [height / 2, width / 2], means of 2x2 px of `smooth`.
  void assign(std::span<const float> image, int64_t w, int64_t h);
  void update();  ///< Makes the others from `full`.
};

/// A place of the live frame and where the background shows it: background(x + dx, y + dy).
struct ControlPoint {
  double x = 0.0, y = 0.0, dx = 0.0, dy = 0.0, ncc = 0.0;
};

/// Displacements on a grid of kStep px, bilinear in between.
struct MotionField {
  static constexpr int64_t kStep = 8;
  int64_t columns = 0, rows = 0;     ///< Nodes at (kStep * column, kStep * row).
  std::vector<float> dx, dy;         ///< [rows, columns]
  std::vector<ControlPoint> points;  ///< Accepted.
  int64_t tried = 0;                 ///< Control points before rejection.
  double median_dx = 0.0, median_dy = 0.0;
};

/// Finds the field that brings `background` over `live` (same size). Control points lie on strong
/// edges of the background, since those of the live frame may be the device's. Without any accepted
/// point the field is 0. Throws kInvalidArgument for sizes that differ.
[[nodiscard]] MotionField find_motion(const FramePyramid& background,
                                      const FramePyramid& live,
                                      std::span<const uint8_t> field,
                                      const RegistrationOptions& options = {});

/// out(x) = image(x + sign * d(x)), bilinear, border repeated; sign -1 approximates the inverse for
/// smooth fields. image, out [height, width], not the same memory.
void warp(const MotionField& motion,
          std::span<const float> image,
          int64_t width,
          int64_t height,
          float sign,
          std::span<float> out);

/// Normalised cross-correlation of two images inside the field; 0 for a flat one.
[[nodiscard]] double correlation(std::span<const float> a,
                                 std::span<const float> b,
                                 std::span<const uint8_t> field = {});

}  // namespace voxloom::filters
