// The geometry of both sets, as one map from the example to its source.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "voxloom/data/augment.h"
#include "voxloom/data/chance.h"

namespace voxloom::data {
namespace {

constexpr double kDegree = std::numbers::pi / 180.0;

/// What is drawn: a map about the middle of the window.
struct Affine {
  double angle = 0.0, scale = 1.0;      ///< Source pixels per pixel of the example.
  double shear_x = 0.0, shear_y = 0.0;  ///< Tangents.
  double shift_x = 0.0, shift_y = 0.0;  ///< Source pixels.
  bool flip_x = false, flip_y = false;
};

Matrix3 move(double x, double y) {
  return {1, 0, x, 0, 1, y, 0, 0, 1};
}

Warp make_warp(const Window& window, const Affine& a) {
  // Half pixels are exact in binary, so flips alone stay maps of whole pixels.
  const double cx = 0.5 * static_cast<double>(window.width - 1);
  const double cy = 0.5 * static_cast<double>(window.height - 1);
  Matrix3 m{a.flip_x ? -1.0 : 1.0, 0, 0, 0, a.flip_y ? -1.0 : 1.0, 0, 0, 0, 1};
  if (a.shear_x != 0.0 || a.shear_y != 0.0) {
    m = product({1 + a.shear_x * a.shear_y, a.shear_x, 0, a.shear_y, 1, 0, 0, 0, 1}, m);
  }
  if (a.angle != 0.0 || a.scale != 1.0) {
    const double c = a.scale * std::cos(a.angle), s = a.scale * std::sin(a.angle);
    m = product({c, -s, 0, s, c, 0, 0, 0, 1}, m);
  }
  m = product(m, move(-cx, -cy));
  m = product(move(static_cast<double>(window.x) + cx + a.shift_x,
                   static_cast<double>(window.y) + cy + a.shift_y),
              m);
  return {window.width, window.height, m, std::nullopt};
}

/// Moves the corners by up to `share` of the sides and puts that in front of the map.
void add_perspective(Warp& how, double share, Rng& rng) {
  const auto w = static_cast<double>(how.width - 1), h = static_cast<double>(how.height - 1);
  std::array<double, 8> corners{0, 0, w, 0, w, h, 0, h};
  for (size_t i = 0; i < 8; ++i) corners[i] += rng.uniform(-share, share) * (i % 2 == 0 ? w : h);
  const Matrix3 unit{1.0 / w, 0, 0, 0, 1.0 / h, 0, 0, 0, 1};
  how.matrix = product(how.matrix, product(quad_from_unit_square(corners), unit));
}

}  // namespace

Warp nnunet_geometry(const Window& window, double strength, Rng& rng) {
  const Chance chance{rng, strength};
  Affine a;
  const auto [small, large] = std::minmax(window.width, window.height);
  const double limit = 2 * large > 3 * small ? 15.0 : 180.0;
  if (chance(0.2)) a.angle = rng.uniform(-limit, limit) * kDegree;
  if (chance(0.2)) a.scale = around_one(rng, 0.7, 1.4);
  a.flip_x = chance(0.5);
  a.flip_y = chance(0.5);
  return make_warp(window, a);
}

Warp fluoroscopy_geometry(const Window& window, double strength, Rng& rng) {
  const Chance chance{rng, strength};
  Affine a;
  const double limit = window.crop ? 180.0 : 15.0;
  if (chance(0.3)) a.angle = rng.uniform(-limit, limit) * kDegree;
  if (chance(0.3)) {
    a.scale = around_one(rng, 0.7, 1.4);
    a.shear_x = std::tan(rng.uniform(-10.0, 10.0) * kDegree);
    a.shear_y = std::tan(rng.uniform(-10.0, 10.0) * kDegree);
    a.shift_x = rng.uniform(-0.1, 0.1) * static_cast<double>(window.width);
    a.shift_y = rng.uniform(-0.1, 0.1) * static_cast<double>(window.height);
  }
  a.flip_x = chance(0.5);
  a.flip_y = chance(0.5);
  Warp how = make_warp(window, a);
  const auto side = static_cast<double>(std::min(window.width, window.height));
  if (side < 16.0) return how;  // Too small for a grid or a trapezium.
  if (chance(0.1)) add_perspective(how, 0.06, rng);
  if (chance(0.2)) {
    const auto nodes = 4 + static_cast<int64_t>(rng.below(5));
    const double sigma = rng.uniform(4.0, 12.0) * side / 512.0;
    how.elastic = random_elastic_grid(nodes, sigma, window.width, window.height, rng);
  }
  return how;
}

}  // namespace voxloom::data
