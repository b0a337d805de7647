#include "voxloom/infer/biplane_geometry.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "voxloom/core/error.h"
#include "voxloom/infer/vector3.h"

namespace voxloom::infer {
namespace {

constexpr auto kWrong = ErrorCode::kInvalidArgument;
constexpr double kRadians = std::numbers::pi / 180.0;
constexpr double kSmallestAngleDeg = 10.0, kSmallestBaselineMm = 10.0;

std::array<Vec3, 3> left_part(const Projection::Matrix& p) {
  return {Vec3{p[0][0], p[0][1], p[0][2]},
          Vec3{p[1][0], p[1][1], p[1][2]},
          Vec3{p[2][0], p[2][1], p[2][2]}};
}

/// Rows of the inverse; `determinant` must not be 0.
std::array<Vec3, 3> inverse_of(const std::array<Vec3, 3>& m, double determinant) {
  const Vec3 c0 = scaled(cross(m[1], m[2]), 1.0 / determinant);
  const Vec3 c1 = scaled(cross(m[2], m[0]), 1.0 / determinant);
  const Vec3 c2 = scaled(cross(m[0], m[1]), 1.0 / determinant);
  return {Vec3{c0[0], c1[0], c2[0]}, Vec3{c0[1], c1[1], c2[1]}, Vec3{c0[2], c1[2], c2[2]}};
}

/// The middle of the shortest line between two rays (unit directions, not parallel).
Vec3 between_rays(const Vec3& from_a, const Vec3& ray_a, const Vec3& from_b, const Vec3& ray_b) {
  const Vec3 apart = add(from_b, from_a, -1.0);
  const double c = dot(ray_a, ray_b), da = dot(ray_a, apart), db = dot(ray_b, apart);
  const double across = std::max(1.0 - c * c, 1e-12);
  return scaled(
      add(add(from_a, ray_a, (da - c * db) / across), add(from_b, ray_b, (c * da - db) / across)),
      0.5);
}

void check_range(const std::string& where,
                 const char* name,
                 double value,
                 double lo,
                 double hi,
                 const char* unit) {
  VOXLOOM_CHECK(value >= lo && value <= hi,
                kWrong,
                "{}: {} must lie within [{}, {}] {}, got {}",
                where,
                name,
                lo,
                hi,
                unit,
                value);
}

}  // namespace

Projection::Projection(const Matrix& matrix, const std::string& where) : p_(matrix) {
  for (const auto& row : p_) {
    for (const double value : row) {
      VOXLOOM_CHECK(std::isfinite(value), kWrong, "{}: must hold finite numbers", where);
    }
  }
  auto m = left_part(p_);
  const double sizes = norm(m[0]) * norm(m[1]) * norm(m[2]);
  const double determinant = dot(m[0], cross(m[1], m[2]));
  // Rows of unit length span 1 where they are orthogonal, 0 where one is made of the others.
  VOXLOOM_CHECK(
      sizes > 0.0 && std::abs(determinant) > 1e-6 * sizes,
      kWrong,
      "{}: must be of rank 3 with an invertible left 3 x 3 part (rays from one point), got "
      "rows that span {}",
      where,
      sizes > 0.0 ? std::abs(determinant) / sizes : 0.0);
  const double scale = 1.0 / norm(m[2]);
  for (auto& row : p_) {
    for (double& value : row) value *= scale;
  }
  m = left_part(p_);
  inverse_ = inverse_of(m, dot(m[0], cross(m[1], m[2])));
  source_ = scaled(times(inverse_, {p_[0][3], p_[1][3], p_[2][3]}), -1.0);
}

void Projection::face(const Vec3& position) {
  if (depth_mm(position) >= 0.0) return;
  for (auto& row : p_) {
    for (double& value : row) value = -value;
  }
  for (auto& row : inverse_) row = scaled(row, -1.0);
}

Vec3 Projection::ray(const Point2& pixel) const {
  return unit(times(inverse_, {pixel[0], pixel[1], 1.0}));
}

double Projection::depth_mm(const Vec3& x) const {
  return p_[2][0] * x[0] + p_[2][1] * x[1] + p_[2][2] * x[2] + p_[2][3];
}

Point2 Projection::project(const Vec3& x) const {
  const double depth = depth_mm(x);
  return {(p_[0][0] * x[0] + p_[0][1] * x[1] + p_[0][2] * x[2] + p_[0][3]) / depth,
          (p_[1][0] * x[0] + p_[1][1] * x[1] + p_[1][2] * x[2] + p_[1][3]) / depth};
}

std::array<Vec3, 2> Projection::jacobian(const Vec3& x) const {
  const double depth = depth_mm(x);
  const Point2 pixel = project(x);
  std::array<Vec3, 2> result{};
  for (size_t r = 0; r < 2; ++r) {
    for (size_t k = 0; k < 3; ++k) result[r][k] = (p_[r][k] - pixel[r] * p_[2][k]) / depth;
  }
  return result;
}

Projection project_c_arm(const CArm& arm, const std::string& where) {
  check_range(where, "sid_mm", arm.sid_mm, 200.0, 5000.0, "mm");
  check_range(where, "sod_mm", arm.sod_mm, 100.0, arm.sid_mm, "mm");
  check_range(where, "primary_deg", arm.primary_deg, -180.0, 180.0, "degrees");
  check_range(where, "secondary_deg", arm.secondary_deg, -90.0, 90.0, "degrees");
  check_range(where, "pixel_mm", arm.pixel_mm[0], 0.01, 10.0, "mm");
  check_range(where, "pixel_mm", arm.pixel_mm[1], 0.01, 10.0, "mm");
  check_range(where, "width", static_cast<double>(arm.width), 1.0, 16384.0, "px");
  check_range(where, "height", static_cast<double>(arm.height), 1.0, 16384.0, "px");
  const double a = arm.primary_deg * kRadians, b = arm.secondary_deg * kRadians;
  // LPS: x to the patient's left, y to the back, z to the head.
  const Vec3 to_detector{std::sin(a) * std::cos(b), -std::cos(a) * std::cos(b), std::sin(b)};
  const Vec3 up{-std::sin(a) * std::sin(b), std::cos(a) * std::sin(b), std::cos(b)};
  const Vec3 right = cross(up, to_detector);
  const Vec3 source = add(arm.isocentre_mm, to_detector, -arm.sod_mm);
  const Point2 middle = arm.principal_point.value_or(
      Point2{static_cast<double>(arm.width - 1) / 2.0, static_cast<double>(arm.height - 1) / 2.0});
  const std::array<Vec3, 3> rows{
      add(scaled(right, arm.sid_mm / arm.pixel_mm[1]), to_detector, middle[0]),
      add(scaled(up, -arm.sid_mm / arm.pixel_mm[0]), to_detector, middle[1]),
      to_detector};
  Projection::Matrix matrix{};
  for (size_t r = 0; r < 3; ++r) {
    for (size_t k = 0; k < 3; ++k) matrix[r][k] = rows[r][k];
    matrix[r][3] = -dot(rows[r], source);
  }
  return {matrix, where};
}

BiplaneRig::BiplaneRig(Projection a, Projection b) : views_{std::move(a), std::move(b)} {
  const double baseline = norm(add(views_[0].source(), views_[1].source(), -1.0));
  VOXLOOM_CHECK(
      baseline >= kSmallestBaselineMm,
      kWrong,
      "calibration: the sources of both views must be at least {} mm apart, got {:.3f} mm",
      kSmallestBaselineMm,
      baseline);
  // A matrix says nothing about its sign; the patient is where the central rays cross.
  const Vec3 middle =
      between_rays(views_[0].source(), views_[0].axis(), views_[1].source(), views_[1].axis());
  for (auto& view : views_) view.face(middle);
  const double cosine = std::clamp(dot(views_[0].axis(), views_[1].axis()), -1.0, 1.0);
  angle_deg_ = std::acos(cosine) / kRadians;
  VOXLOOM_CHECK(
      angle_deg_ >= kSmallestAngleDeg && angle_deg_ <= 180.0 - kSmallestAngleDeg,
      kWrong,
      "calibration: the central rays of both views must cross at {} to {} degrees, got {:.2f}; "
      "views that are parallel don't show depth",
      kSmallestAngleDeg,
      180.0 - kSmallestAngleDeg,
      angle_deg_);
  // F = [e]x M_b M_a^-1, with e the image of source a in view b.
  const auto& pb = views_[1].p_;
  const auto& s = views_[0].source_;
  Vec3 e{};
  for (size_t r = 0; r < 3; ++r) {
    e[r] = pb[r][0] * s[0] + pb[r][1] * s[1] + pb[r][2] * s[2] + pb[r][3];
  }
  std::array<Vec3, 3> h{};  // M_b M_a^-1
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t k = 0; k < 3; ++k) h[r][c] += pb[r][k] * views_[0].inverse_[k][c];
    }
  }
  for (size_t c = 0; c < 3; ++c) {
    const Vec3 column = cross(e, {h[0][c], h[1][c], h[2][c]});
    for (size_t r = 0; r < 3; ++r) fundamental_[r][c] = column[r];
  }
}

Vec3 BiplaneRig::epipolar_line(size_t other, const Point2& pixel) const {
  const Vec3 x{pixel[0], pixel[1], 1.0};
  Vec3 line{};
  if (other == 1) {
    line = times(fundamental_, x);
  } else {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t r = 0; r < 3; ++r) line[c] += fundamental_[r][c] * x[r];
    }
  }
  const double size = std::hypot(line[0], line[1]);
  return size > 0.0 ? scaled(line, 1.0 / size) : line;
}

double BiplaneRig::mismatch_px(const Point2& a, const Point2& b) const {
  const Vec3 x{a[0], a[1], 1.0}, y{b[0], b[1], 1.0};
  const Vec3 fa = times(fundamental_, x);
  Vec3 fb{};
  for (size_t c = 0; c < 3; ++c) {
    for (size_t r = 0; r < 3; ++r) fb[c] += fundamental_[r][c] * y[r];
  }
  const double size = std::sqrt(fa[0] * fa[0] + fa[1] * fa[1] + fb[0] * fb[0] + fb[1] * fb[1]);
  return size > 0.0 ? dot(y, fa) / size : 0.0;
}

Triangulated BiplaneRig::triangulate(const Point2& a, const Point2& b) const {
  // The middle of the shortest line between both rays, then Gauss and Newton on the pixels.
  Triangulated result{
      .position =
          between_rays(views_[0].source(), views_[0].ray(a), views_[1].source(), views_[1].ray(b))};
  const std::array<Point2, 2> seen{a, b};
  for (int round = 0; round < 4; ++round) {
    std::array<Vec3, 3> normal{};
    Vec3 right{};
    double error = 0.0;
    for (size_t v = 0; v < 2; ++v) {
      const auto pixel = views_[v].project(result.position);
      const auto rows = views_[v].jacobian(result.position);
      for (size_t r = 0; r < 2; ++r) {
        const double residual = seen[v][r] - pixel[r];
        error += residual * residual;
        right = add(right, rows[r], residual);
        for (size_t k = 0; k < 3; ++k) normal[k] = add(normal[k], rows[r], rows[r][k]);
      }
    }
    result.error_px = std::sqrt(error / 2.0);
    const double determinant = dot(normal[0], cross(normal[1], normal[2]));
    if (!(std::abs(determinant) > 1e-300)) break;
    result.position = add(result.position, times(inverse_of(normal, determinant), right));
  }
  return result;
}

}  // namespace voxloom::infer
