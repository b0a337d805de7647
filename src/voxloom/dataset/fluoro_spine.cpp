#include <algorithm>
#include <cmath>

#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_bones.h"
#include "voxloom/dataset/fluoro_math.h"

namespace voxloom::dataset {
namespace {

double bell(double x, double sigma) {
  const double t = x / sigma;
  return std::exp(-0.5 * t * t);
}

/// An oval ring of cortical bone at (cx, cy) with half axes a, b, `wall` thick; all mm.
double ring(double x, double y, double a, double b, double wall) {
  const double r = std::sqrt(x * x / (a * a) + y * y / (b * b));
  return bell((r - 1.0) * std::min(a, b), wall);
}

/// Optical depth of one vertebra: x across from the axis, y down from the middle of the body, mm.
double vertebra(double x, double y, const FluoroSpine& s) {
  const double half_height = 0.43 * s.period_mm;
  const double v = y / half_height;
  const double waist = 0.5 * s.width_mm * (0.86 + 0.14 * v * v);
  const double u = std::abs(x) / waist;
  // The end plates are dished, and seen a little from above: two lines, one fainter.
  const double dish = 1.6 * (1.0 - std::min(1.0, u * u));
  const double top = y + half_height - dish, bottom = y - half_height + dish;
  const double across = 1.0 - smooth_step(0.9, 1.06, u);
  const double body = across * smooth_step(-1.2, 1.2, top) * (1.0 - smooth_step(-1.2, 1.2, bottom));
  double depth = 0.15 * body;
  depth += 0.17 * across * (bell(top, 0.7) + bell(bottom, 0.7));
  depth += 0.09 * across * (bell(top - 2.4, 0.7) + bell(bottom + 2.4, 0.7));
  depth += 0.16 * bell((u - 0.93) * waist, 0.9) * std::min(1.0, 1.6 * body);
  const double pedicle = std::abs(x) - 0.58 * waist;
  depth += 0.17 * ring(pedicle, y + 0.35 * half_height, 3.0, 4.6, 0.9);
  depth +=
      0.05 *
      (pedicle * pedicle / 9.0 + (y + 0.35 * half_height) * (y + 0.35 * half_height) / 21.0 < 1.0
           ? 1.0
           : 0.0);
  depth += 0.17 * ring(x, y - 0.75 * half_height, 2.2, 5.5, 1.0);  // spinous process
  // Transverse processes and the articular masses behind the body.
  const double arm = smooth_step(0.7, 1.0, u) * (1.0 - smooth_step(1.45, 1.75, u));
  depth += 0.12 * arm * bell(y + 0.45 * half_height + 0.12 * std::abs(x), 2.8);
  depth += 0.10 * bell(std::abs(x) - 0.5 * waist, 3.2) * bell(y - 0.95 * half_height, 3.4);
  return s.density * depth;
}

}  // namespace

FluoroSpine random_spine(Rng& rng) {
  FluoroSpine s;
  s.x_mm = rng.uniform(-58.0, 40.0);
  s.lean = rng.uniform(-0.12, 0.12);
  s.bend = rng.uniform(-4.0e-4, 4.0e-4);
  s.period_mm = rng.uniform(25.0, 35.0);
  s.width_mm = s.period_mm * rng.uniform(1.05, 1.3);
  s.phase_mm = rng.uniform(0.0, s.period_mm);
  s.density = rng.uniform(0.6, 1.15);
  return s;
}

void add_spine(FluoroPlane& depth, const FluoroSpine& s, double pixel_mm, FluoroPoint origin) {
  const double reach = 0.5 * s.width_mm * 1.9;
  parallel_for(0, depth.height, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t py = first; py < last; ++py) {
      const double y = (static_cast<double>(py) - origin.y) * pixel_mm;
      const double axis = s.x_at(y);
      const double place = (y + s.phase_mm) / s.period_mm;
      const double block = std::floor(place);
      // The neighbours' processes reach over the discs.
      const double offset = (place - block - 0.5) * s.period_mm;
      const auto x0 = static_cast<int64_t>((axis - reach) / pixel_mm + origin.x);
      const auto x1 = static_cast<int64_t>((axis + reach) / pixel_mm + origin.x);
      float* row = depth.row(py);
      for (int64_t px = std::max<int64_t>(0, x0); px < std::min(depth.width, x1); ++px) {
        const double x = (static_cast<double>(px) - origin.x) * pixel_mm - axis;
        const double tilted = offset - 0.04 * x;
        double sum = vertebra(x, tilted, s);
        sum += vertebra(x, tilted + (tilted > 0.0 ? -s.period_mm : s.period_mm), s);
        row[px] += static_cast<float>(sum);
      }
    }
  });
}

}  // namespace voxloom::dataset
