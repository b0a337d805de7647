#include "voxloom/metrics/surface.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "voxloom/core/error.h"
#include "voxloom/image/distance.h"

namespace voxloom::metrics {
namespace {

using image::Index3;
using image::Vec3;

struct Box {
  Index3 min{}, max{};  // Both ends inside; empty when max < min.
};

Box mask_box(std::span<const uint8_t> a, std::span<const uint8_t> b, const Index3& size) {
  Box box{size, {-1, -1, -1}};
  for (int64_t z = 0; z < size[2]; ++z) {
    for (int64_t y = 0; y < size[1]; ++y) {
      const auto row = static_cast<size_t>((z * size[1] + y) * size[0]);
      for (int64_t x = 0; x < size[0]; ++x) {
        const size_t i = row + static_cast<size_t>(x);
        if ((a[i] | b[i]) == 0) continue;
        const Index3 at{x, y, z};
        for (size_t k = 0; k < 3; ++k) {
          box.min[k] = std::min(box.min[k], at[k]);
          box.max[k] = std::max(box.max[k], at[k]);
        }
      }
    }
  }
  return box;
}

/// Codes of the corners of the box's voxels: corner (i, j, k) lies between voxels min + i - 1 and
/// min + i along each axis. Size is the box's plus one.
struct CornerCodes {
  Index3 size{};
  std::vector<uint8_t> code;
};

CornerCodes corner_codes(std::span<const uint8_t> mask, const Index3& size, const Box& box) {
  CornerCodes out;
  for (size_t k = 0; k < 3; ++k) out.size[k] = box.max[k] - box.min[k] + 2;
  out.code.assign(static_cast<size_t>(out.size[0] * out.size[1] * out.size[2]), 0);
  // Each inside voxel sets its bit in the eight corners around it.
  for (int64_t z = box.min[2]; z <= box.max[2]; ++z) {
    for (int64_t y = box.min[1]; y <= box.max[1]; ++y) {
      for (int64_t x = box.min[0]; x <= box.max[0]; ++x) {
        if (mask[static_cast<size_t>((z * size[1] + y) * size[0] + x)] == 0) continue;
        for (int corner = 0; corner < 8; ++corner) {
          const int64_t cx = x - box.min[0] + (corner & 1);
          const int64_t cy = y - box.min[1] + (corner >> 1 & 1);
          const int64_t cz = z - box.min[2] + (corner >> 2 & 1);
          // Seen from the far corner the voxel is the near one, hence 7 - corner.
          auto& code = out.code[static_cast<size_t>((cz * out.size[1] + cy) * out.size[0] + cx)];
          code = static_cast<uint8_t>(code | 1 << (7 - corner));
        }
      }
    }
  }
  return out;
}

bool on_surface(uint8_t code) {
  return code != 0 && code != 255;
}

std::vector<float> distance_to_surface(const CornerCodes& corners, const Vec3& spacing_mm) {
  std::vector<uint8_t> surface(corners.code.size());
  std::transform(corners.code.begin(), corners.code.end(), surface.begin(), on_surface);
  return image::distance_to(surface, corners.size, spacing_mm);
}

SurfaceDistances::Side make_side(const CornerCodes& corners,
                                 const std::vector<float>& distance_to_other,
                                 const std::array<double, 256>& area) {
  std::vector<size_t> elements;
  for (size_t i = 0; i < corners.code.size(); ++i) {
    if (on_surface(corners.code[i])) elements.push_back(i);
  }
  std::stable_sort(elements.begin(), elements.end(), [&](size_t a, size_t b) {
    return distance_to_other[a] < distance_to_other[b];
  });
  SurfaceDistances::Side side;
  for (const size_t i : elements) {
    side.distance_mm.push_back(distance_to_other[i]);
    side.area_mm2.push_back(area[corners.code[i]]);
  }
  return side;
}

double area_within(const SurfaceDistances::Side& side, double tolerance_mm) {
  double area = 0.0;
  for (size_t i = 0; i < side.distance_mm.size() && side.distance_mm[i] <= tolerance_mm; ++i) {
    area += side.area_mm2[i];
  }
  return area;
}

double directed_percentile(const SurfaceDistances::Side& side, double percent) {
  const double wanted = side.total_area_mm2() * percent / 100.0;
  double area = 0.0;
  for (size_t i = 0; i < side.distance_mm.size(); ++i) {
    area += side.area_mm2[i];
    if (area >= wanted) return side.distance_mm[i];
  }
  return side.distance_mm.back();
}

}  // namespace

double SurfaceDistances::Side::total_area_mm2() const {
  return std::accumulate(area_mm2.begin(), area_mm2.end(), 0.0);
}

double SurfaceDistances::surface_dice(double tolerance_mm) const {
  const double total = truth.total_area_mm2() + predicted.total_area_mm2();
  if (truth.distance_mm.empty() && predicted.distance_mm.empty()) return 1.0;
  return (area_within(truth, tolerance_mm) + area_within(predicted, tolerance_mm)) / total;
}

double SurfaceDistances::hausdorff_mm(double percent) const {
  VOXLOOM_CHECK(percent >= 0 && percent <= 100,
                ErrorCode::kInvalidArgument,
                "hausdorff: percent must lie within [0, 100], got {}",
                percent);
  if (truth.distance_mm.empty() && predicted.distance_mm.empty()) return 0.0;
  if (truth.distance_mm.empty() || predicted.distance_mm.empty()) {
    return std::numeric_limits<double>::infinity();
  }
  return std::max(directed_percentile(truth, percent), directed_percentile(predicted, percent));
}

double SurfaceDistances::average_mm() const {
  if (truth.distance_mm.empty() && predicted.distance_mm.empty()) return 0.0;
  double sum = 0.0;
  for (const Side* side : {&truth, &predicted}) {
    for (size_t i = 0; i < side->distance_mm.size(); ++i) {
      sum += static_cast<double>(side->distance_mm[i]) * side->area_mm2[i];
    }
  }
  return sum / (truth.total_area_mm2() + predicted.total_area_mm2());
}

SurfaceDistances surface_distances(std::span<const uint8_t> truth,
                                   std::span<const uint8_t> predicted,
                                   const Index3& size,
                                   const Vec3& spacing_mm) {
  const auto voxels = static_cast<size_t>(size[0] * size[1] * size[2]);
  VOXLOOM_CHECK(truth.size() == voxels && predicted.size() == voxels,
                ErrorCode::kInvalidArgument,
                "surface distances: masks must hold {} voxels, got {} and {}",
                size,
                truth.size(),
                predicted.size());
  for (const double s : spacing_mm) {
    VOXLOOM_CHECK(s > 0 && std::isfinite(s),
                  ErrorCode::kInvalidArgument,
                  "surface distances: spacing must be positive and finite, got {} mm",
                  spacing_mm);
  }
  const Box box = mask_box(truth, predicted, size);
  if (box.max[0] < 0) return {};
  const CornerCodes a = corner_codes(truth, size, box), b = corner_codes(predicted, size, box);
  const auto area = surface_element_area(spacing_mm);
  SurfaceDistances out;
  out.truth = make_side(a, distance_to_surface(b, spacing_mm), area);
  out.predicted = make_side(b, distance_to_surface(a, spacing_mm), area);
  return out;
}

}  // namespace voxloom::metrics
