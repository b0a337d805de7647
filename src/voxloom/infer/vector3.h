#pragma once

#include <cmath>

#include "voxloom/image/geometry.h"

namespace voxloom::infer {

using image::Vec3;

[[nodiscard]] inline double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
[[nodiscard]] inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
[[nodiscard]] inline double norm(const Vec3& a) {
  return std::sqrt(dot(a, a));
}
/// a + s b
[[nodiscard]] inline Vec3 add(const Vec3& a, const Vec3& b, double s = 1.0) {
  return {a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]};
}
[[nodiscard]] inline Vec3 scaled(const Vec3& a, double s) {
  return {s * a[0], s * a[1], s * a[2]};
}
[[nodiscard]] inline Vec3 unit(const Vec3& a) {
  return scaled(a, 1.0 / norm(a));
}
/// Rows times a.
[[nodiscard]] inline Vec3 times(const std::array<Vec3, 3>& rows, const Vec3& a) {
  return {dot(rows[0], a), dot(rows[1], a), dot(rows[2], a)};
}

}  // namespace voxloom::infer
