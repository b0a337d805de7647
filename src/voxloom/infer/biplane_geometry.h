#pragma once

#include <array>
#include <optional>

#include "voxloom/image/geometry.h"
#include "voxloom/infer/wire_paths.h"

namespace voxloom::infer {

using image::Vec3;

/// How a point source draws the patient onto a detector: pixel ~ P (x, y, z, 1), position in mm
/// (LPS), pixel centres at whole numbers. Scaled so that the third row gives the depth in mm along
/// the central ray.
class Projection {
 public:
  using Matrix = std::array<std::array<double, 4>, 3>;

  /// Any multiple of the matrix. Throws kInvalidArgument that starts with `where` for numbers that
  /// are not finite, and for a matrix without a point source (not of rank 3, or its left 3 x 3 part
  /// not invertible).
  Projection(const Matrix& matrix, const std::string& where);

  [[nodiscard]] const Matrix& matrix() const { return p_; }
  /// Where the rays come from, mm.
  [[nodiscard]] const Vec3& source() const { return source_; }
  /// Depths of that position and what lies with it become positive: the sign of a matrix is free,
  /// and images may be mirrored, so that the numbers alone don't tell front from back.
  void face(const Vec3& position);
  /// Unit vector of the central ray, towards positive depths.
  [[nodiscard]] Vec3 axis() const { return {p_[2][0], p_[2][1], p_[2][2]}; }
  /// Unit vector of the ray through a pixel.
  [[nodiscard]] Vec3 ray(const Point2& pixel) const;
  [[nodiscard]] double depth_mm(const Vec3& position) const;
  [[nodiscard]] Point2 project(const Vec3& position) const;
  /// d project / d position, [2][3], px per mm.
  [[nodiscard]] std::array<Vec3, 2> jacobian(const Vec3& position) const;

 private:
  friend class BiplaneRig;
  Matrix p_;
  std::array<Vec3, 3> inverse_;  ///< Of the left 3 x 3 part.
  Vec3 source_{};
};

/// Where a C-arm stands, in the words of DICOM's XA objects.
struct CArm {
  double sid_mm = 0.0;               ///< DistanceSourceToDetector (0018,1110).
  double sod_mm = 0.0;               ///< DistanceSourceToPatient (0018,1111): to the isocentre.
  double primary_deg = 0.0;          ///< PositionerPrimaryAngle (0018,1510): LAO positive.
  double secondary_deg = 0.0;        ///< PositionerSecondaryAngle (0018,1511): cranial positive.
  std::array<double, 2> pixel_mm{};  ///< ImagerPixelSpacing (0018,1164): row, column.
  int64_t width = 0, height = 0;     ///< px.
  std::optional<Point2> principal_point;  ///< Where the central ray falls; the middle if absent.
  Vec3 isocentre_mm{};                    ///< LPS.
};

/// The projection of a C-arm, for a patient on the back, head first: at 0/0 the detector is in
/// front of the chest, the image has the patient's left on its right side and the head above.
/// Throws kInvalidArgument that starts with `where` for distances, angles or sizes out of range.
[[nodiscard]] Projection project_c_arm(const CArm& arm, const std::string& where);

/// A position seen by both views.
struct Triangulated {
  Vec3 position{};        ///< mm, LPS.
  double error_px = 0.0;  ///< Root mean square distance of its projections to the two points.
};

/// Two views of one patient. Throws kInvalidArgument for sources nearer than 10 mm to each other
/// and for central rays that cross at less than 10 degrees (or more than 170): depth can't be
/// measured.
class BiplaneRig {
 public:
  BiplaneRig(Projection a, Projection b);

  /// View 0 or 1.
  [[nodiscard]] const Projection& view(size_t index) const { return views_[index]; }
  /// Between the central rays, degrees, 0 to 180.
  [[nodiscard]] double angle_deg() const { return angle_deg_; }

  /// The line (a, b, c), a^2 + b^2 = 1, on which view `other` (0 or 1) sees what the other view
  /// sees at `pixel`: a x + b y + c = 0.
  [[nodiscard]] Vec3 epipolar_line(size_t other, const Point2& pixel) const;
  /// How far two points are from belonging to one position, in px, with a sign: Sampson's distance.
  /// Noise of sigma px in every coordinate gives it a deviation of sigma.
  [[nodiscard]] double mismatch_px(const Point2& a, const Point2& b) const;
  /// The position whose projections are nearest to both points.
  [[nodiscard]] Triangulated triangulate(const Point2& a, const Point2& b) const;

 private:
  std::array<Projection, 2> views_;
  std::array<Vec3, 3> fundamental_;  ///< b^T F a = 0.
  double angle_deg_ = 0.0;
};

}  // namespace voxloom::infer
