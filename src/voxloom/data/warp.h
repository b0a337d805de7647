#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/data/plane.h"

namespace voxloom::data {

/// An image and its mask as the cache keeps them.
struct SourceView {
  int64_t width = 0, height = 0;
  std::span<const uint8_t> image;  ///< [H, W]; 255 is 1.
  std::span<const uint8_t> mask;   ///< [H, W] WireClass values; empty: not annotated.
  float mean = 0.0F;               ///< Of the image, in [0, 1]: what lies outside it.
};

/// An image and its mask of one size, to train on.
struct Example {
  Plane image;
  std::vector<uint8_t> mask;  ///< [H, W]; 255 where ignored, outside the source and not annotated.
};

/// A smooth random displacement: cubic B-splines over a grid of control points (px). It has no
/// folds when no component exceeds 0.48 of the spacing (Choi and Lee, Graphical Models 62, 2000).
struct ElasticGrid {
  int64_t nodes_x = 0,
          nodes_y = 0;        ///< Intervals + 1 over the picture; 2 more points stand outside.
  std::vector<float> dx, dy;  ///< [nodes_y + 2, nodes_x + 2]
};
[[nodiscard]] ElasticGrid random_elastic_grid(
    int64_t nodes, double sigma_px, int64_t width, int64_t height, Rng& rng);

/// Where every pixel of an example comes from: source = matrix * (pixel + elastic(pixel)), in
/// homogeneous coordinates, pixel centres at whole numbers. All geometry is one such map, so that
/// the image is resampled once.
struct Warp {
  int64_t width = 0, height = 0;                            ///< Of the example.
  std::array<double, 9> matrix{1, 0, 0, 0, 1, 0, 0, 0, 1};  ///< Row-major.
  std::optional<ElasticGrid> elastic;
};

using Matrix3 = std::array<double, 9>;
[[nodiscard]] Matrix3 product(const Matrix3& a, const Matrix3& b);
/// Maps the corners (0, 0), (1, 0), (1, 1), (0, 1) to `corners` (x, y pairs in that order).
[[nodiscard]] Matrix3 quad_from_unit_square(const std::array<double, 8>& corners);

/// Resamples. The image: cubic convolution (Keys 1981, a = -1/2), which equals the pixels at whole
/// positions and needs no prefilter as a B-spline of order 3 does; outside is the source's mean.
/// The mask: an object where the bilinear weight of object pixels reaches one half, the heaviest
/// class among them; where the example shrinks the source by m > 1 (square root of the area ratio),
/// already at 1 - m / 2, so that a line of one pixel stays a line.
[[nodiscard]] Example warp(const SourceView& source, const Warp& how);

}  // namespace voxloom::data
