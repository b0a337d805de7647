#include "voxloom/io/dicom_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

using image::Vec3;

constexpr double kCosineTolerance = 1e-3;     // Per component; files round to 6 digits and worse.
constexpr double kSpacingTolerance = 1e-3;    // Relative, within the plane.
constexpr double kGapTolerance = 0.1;         // Relative, along the normal.
constexpr double kGapToleranceMm = 0.02;      // Positions rounded to 0.01 mm.
constexpr double kDoubledFraction = 0.01;     // Of a pixel: closer slices are the same place.
constexpr double kTiltTolerancePixels = 0.1;  // Sideways drift over the stack that counts as tilt.
constexpr double kLineTolerancePixels = 0.5;  // Sideways distance of a slice from the stack's axis.

Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
Vec3 minus(const Vec3& a, const Vec3& b) {
  return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}
Vec3 times(const Vec3& a, double s) {
  return {a[0] * s, a[1] * s, a[2] * s};
}
double norm(const Vec3& a) {
  return std::sqrt(dot(a, a));
}

struct Placed {
  DicomSlice slice;
  Vec3 position{};
  double along_mm = 0.0;  // Along the normal.
};

struct Frame {  // The plane all slices share.
  Vec3 row{1, 0, 0}, column{0, 1, 0}, normal{0, 0, 1};
  std::array<double, 2> spacing_mm{1.0, 1.0};
};

class Orderer {
 public:
  explicit Orderer(const std::vector<DicomObject>& objects) : objects_(objects) {}

  DicomStack run() {
    VOXLOOM_CHECK(!objects_.empty(), ErrorCode::kNotFound, "dicom series: must hold an image");
    check_same_format();
    for (size_t o = 0; o < objects_.size(); ++o) {
      for (size_t f = 0; f < objects_[o].frames.size(); ++f) {
        placed_.push_back({{o, f}, {}, 0.0});
      }
    }
    const bool positions = std::all_of(placed_.begin(), placed_.end(), [&](const Placed& p) {
      return frame(p).position_mm && frame(p).orientation;
    });
    return positions ? stack_by_position() : stack_without_positions();
  }

 private:
  const DicomFrame& frame(const Placed& p) const {
    return objects_[p.slice.object].frames[p.slice.frame];
  }

  // "'a.dcm' (instance 12, frame 3, 31.5 mm)"
  std::string name(const Placed& p, bool with_place = true) const {
    const DicomObject& object = objects_[p.slice.object];
    // The folder is named only where it tells two files apart: it may hold a patient's name.
    const auto file = object.path.filename();
    const auto same = std::count_if(objects_.begin(), objects_.end(), [&](const DicomObject& o) {
      return o.path.filename() == file;
    });
    const auto shown = same == 1 ? file : object.path.parent_path().filename() / file;
    std::string out = format("'{}' (instance {}", shown.string(), frame(p).instance_number);
    if (object.frames.size() > 1) out += format(", frame {}", frame(p).number + 1);
    if (with_place) out += format(", {:.6g} mm", p.along_mm);
    return out + ")";
  }

  void check_same_format() const {
    const DicomObject& first = objects_.front();
    for (const DicomObject& o : objects_) {
      const auto &a = first.pixels, &b = o.pixels;
      VOXLOOM_CHECK(a.rows == b.rows && a.columns == b.columns,
                    ErrorCode::kDataCorrupt,
                    "dicom series: all slices must have one size, got {}x{} in '{}' (instance {}) "
                    "and {}x{} in '{}' (instance {})",
                    a.columns,
                    a.rows,
                    first.path.filename().string(),
                    first.frames.front().instance_number,
                    b.columns,
                    b.rows,
                    o.path.filename().string(),
                    o.frames.front().instance_number);
      VOXLOOM_CHECK(a.samples == b.samples,
                    ErrorCode::kDataCorrupt,
                    "dicom series: grey and colour images must not mix, got {} samples a pixel in "
                    "'{}' and {} in '{}'",
                    a.samples,
                    first.path.filename().string(),
                    b.samples,
                    o.path.filename().string());
    }
  }

  // Unit, right-angled axes from the file's cosines.
  Frame plane_of(const Placed& p) const {
    Frame out;
    const auto& c = *frame(p).orientation;
    out.row = {c[0], c[1], c[2]};
    out.column = {c[3], c[4], c[5]};
    const double lr = norm(out.row), lc = norm(out.column);
    VOXLOOM_CHECK(std::abs(lr - 1) < 0.01 && std::abs(lc - 1) < 0.01 &&
                      std::abs(dot(out.row, out.column)) < 0.01,
                  ErrorCode::kDataCorrupt,
                  "{}: ImageOrientationPatient must be two unit vectors at right angles, got {}",
                  name(p, false),
                  c);
    out.row = times(out.row, 1 / lr);
    out.column = minus(out.column, times(out.row, dot(out.row, out.column)));
    out.column = times(out.column, 1 / norm(out.column));
    out.normal = cross(out.row, out.column);
    VOXLOOM_CHECK(frame(p).pixel_spacing_mm.has_value(),
                  ErrorCode::kDataCorrupt,
                  "{}: PixelSpacing must be present",
                  name(p, false));
    out.spacing_mm = *frame(p).pixel_spacing_mm;
    return out;
  }

  void check_same_plane(const Frame& plane) const {
    const auto& first = placed_.front();
    for (const Placed& p : placed_) {
      const auto &a = *frame(first).orientation, &b = *frame(p).orientation;
      for (size_t i = 0; i < 6; ++i) {
        VOXLOOM_CHECK(std::abs(a[i] - b[i]) <= kCosineTolerance,
                      ErrorCode::kDataCorrupt,
                      "dicom series: all slices must have one orientation, got {} in {} and {} in "
                      "{}",
                      a,
                      name(first, false),
                      b,
                      name(p, false));
      }
      const auto& s = frame(p).pixel_spacing_mm;
      VOXLOOM_CHECK(s.has_value(),
                    ErrorCode::kDataCorrupt,
                    "{}: PixelSpacing must be present",
                    name(p, false));
      for (size_t i = 0; i < 2; ++i) {
        VOXLOOM_CHECK(
            std::abs((*s)[i] - plane.spacing_mm[i]) <= kSpacingTolerance * plane.spacing_mm[i],
            ErrorCode::kDataCorrupt,
            "dicom series: all slices must have one pixel spacing, got {} mm in {} and {} mm in {}",
            plane.spacing_mm,
            name(first, false),
            *s,
            name(p, false));
      }
    }
  }

  // Throws for doubled and missing slices.
  void check_gaps(const Frame& plane) const {
    std::vector<double> gaps;
    for (size_t i = 1; i < placed_.size(); ++i) {
      gaps.push_back(placed_[i].along_mm - placed_[i - 1].along_mm);
    }
    const double same = kDoubledFraction * std::min(plane.spacing_mm[0], plane.spacing_mm[1]);
    const auto doubled = std::find_if(gaps.begin(), gaps.end(), [&](double g) { return g < same; });
    if (doubled != gaps.end()) {
      const auto i = static_cast<size_t>(doubled - gaps.begin());
      const auto pairs =
          std::count_if(gaps.begin(), gaps.end(), [&](double g) { return g < same; });
      throw Error(ErrorCode::kDataCorrupt,
                  format("dicom series: a slice is doubled: {} and {} lie at the same place; {} "
                         "such pair(s){}",
                         name(placed_[i]),
                         name(placed_[i + 1]),
                         pairs,
                         pairs > 1 ? ", the series may hold several phases or echoes" : ""));
    }
    auto sorted = gaps;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    const double median = *middle;
    const double slack = std::max(kGapTolerance * median, kGapToleranceMm);
    for (size_t i = 0; i < gaps.size(); ++i) {
      if (std::abs(gaps[i] - median) <= slack) continue;
      const double missing = gaps[i] / median;
      const bool whole = missing > 1.5 && std::abs(gaps[i] - std::round(missing) * median) <=
                                              slack * std::round(missing);
      const auto count = static_cast<int64_t>(std::round(missing)) - 1;
      throw Error(
          ErrorCode::kDataCorrupt,
          whole ? format("dicom series: {} slice(s) missing between {} and {}: the gap must be "
                         "{:.6g} mm as elsewhere, got {:.6g}",
                         count,
                         name(placed_[i]),
                         name(placed_[i + 1]),
                         median,
                         gaps[i])
                : format("dicom series: slices must be evenly spaced, got a gap of {:.6g} mm "
                         "between {} and {}, {:.6g} mm elsewhere",
                         gaps[i],
                         name(placed_[i]),
                         name(placed_[i + 1]),
                         median));
    }
  }

  double single_slice_spacing() const {
    const DicomObject& o = objects_.front();
    for (const auto& v : {o.spacing_between_slices_mm, o.slice_thickness_mm}) {
      if (v && std::abs(*v) > 0) return std::abs(*v);
    }
    return 1.0;
  }

  DicomStack stack_by_position() {
    const Frame plane = plane_of(placed_.front());
    check_same_plane(plane);
    for (Placed& p : placed_) {
      p.position = *frame(p).position_mm;
      p.along_mm = dot(p.position, plane.normal);
    }
    std::stable_sort(placed_.begin(), placed_.end(), [](const Placed& a, const Placed& b) {
      return a.along_mm < b.along_mm;
    });
    Vec3 axis = plane.normal;
    double step = single_slice_spacing();
    if (placed_.size() > 1) {
      check_gaps(plane);
      const auto intervals = static_cast<double>(placed_.size() - 1);
      const Vec3 whole = minus(placed_.back().position, placed_.front().position);
      const double along = dot(whole, plane.normal);
      const double drift = norm(minus(whole, times(plane.normal, along)));
      const double pixel = std::min(plane.spacing_mm[0], plane.spacing_mm[1]);
      step = along / intervals;
      if (drift > kTiltTolerancePixels * pixel) {
        axis = times(whole, 1 / norm(whole));
        step = norm(whole) / intervals;
      }
      check_on_axis(axis, step, pixel);
    }
    return finish(plane, axis, step);
  }

  void check_on_axis(const Vec3& axis, double step, double pixel) const {
    for (size_t i = 0; i < placed_.size(); ++i) {
      const Vec3 off = minus(minus(placed_[i].position, placed_.front().position),
                             times(axis, step * static_cast<double>(i)));
      const Vec3 sideways = minus(off, times(axis, dot(off, axis)));
      VOXLOOM_CHECK(norm(sideways) <= kLineTolerancePixels * pixel,
                    ErrorCode::kDataCorrupt,
                    "dicom series: slices must lie on one straight axis, got {} {:.4g} mm beside "
                    "it",
                    name(placed_[i]),
                    norm(sideways));
    }
  }

  // Frames of one file follow each other; files can't be put in order without positions.
  DicomStack stack_without_positions() {
    for (const Placed& p : placed_) {
      VOXLOOM_CHECK(objects_.size() == 1 || (frame(p).position_mm && frame(p).orientation),
                    ErrorCode::kDataCorrupt,
                    "dicom series: {} files can only be ordered by ImagePositionPatient and "
                    "ImageOrientationPatient, absent in {}",
                    objects_.size(),
                    name(p, false));
    }
    Frame plane;
    plane.spacing_mm = frame(placed_.front()).pixel_spacing_mm.value_or(plane.spacing_mm);
    return finish(plane, plane.normal, single_slice_spacing());
  }

  DicomStack finish(const Frame& plane, const Vec3& axis, double step) const {
    DicomStack out;
    auto& g = out.geometry;
    g.size = {objects_.front().pixels.columns,
              objects_.front().pixels.rows,
              static_cast<int64_t>(placed_.size())};
    g.spacing_mm = {plane.spacing_mm[0], plane.spacing_mm[1], step};
    g.origin_mm = placed_.front().position;
    for (size_t r = 0; r < 3; ++r) {
      g.direction[3 * r] = plane.row[r];
      g.direction[3 * r + 1] = plane.column[r];
      g.direction[3 * r + 2] = axis[r];
    }
    try {
      g.validate();
    } catch (const Error& e) {
      throw e.with_context("dicom series");
    }
    for (const Placed& p : placed_) out.slices.push_back(p.slice);
    return out;
  }

  const std::vector<DicomObject>& objects_;
  std::vector<Placed> placed_;
};

}  // namespace

DicomStack order_dicom_slices(const std::vector<DicomObject>& objects) {
  return Orderer(objects).run();
}

}  // namespace voxloom::io
