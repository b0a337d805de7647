#include "voxloom/dataset/fluoro_anatomy.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_blur.h"
#include "voxloom/dataset/fluoro_math.h"
#include "voxloom/dataset/fluoro_texture.h"
#include "voxloom/dataset/fluoro_tube.h"
#include "voxloom/dataset/fluoro_vessels.h"

namespace voxloom::dataset {
namespace {

constexpr int64_t kCell = 4;  // pixels of a coarse cell
constexpr double kAir = FluoroMu::kWater - FluoroMu::kLung;

/// Scene point of a coarse cell.
FluoroPoint cell_point(int64_t x, int64_t y, int64_t size, double pixel_mm) {
  const auto at = [&](int64_t c) {
    const double fine = (static_cast<double>(c) + 0.5) * kCell - 0.5;
    return (fine - 0.5 * static_cast<double>(size - 1)) * pixel_mm;
  };
  return {at(x), at(y)};
}

}  // namespace

FluoroAnatomy::FluoroAnatomy(const FluoroParameters& parameters,
                             int64_t size,
                             const FluoroMotion& motion,
                             Rng& rng)
    : p_(parameters),
      size_(size),
      margin_(static_cast<int64_t>(std::ceil(4.0 / parameters.pixel_mm))),
      heart_(motion.heart()),
      spine_(random_spine(rng)) {
  dome_y_ = heart_.centre.y + heart_.short_mm * rng.uniform(0.35, 0.95);
  dome_x_left_ = spine_.x_mm - rng.uniform(45.0, 75.0);
  dome_x_right_ = spine_.x_mm + rng.uniform(45.0, 75.0);
  dome_radius_ = rng.uniform(55.0, 90.0);
  dome_step_ = rng.uniform(5.0, 15.0);
  egg_ = rng.uniform(0.04, 0.14);
  make_smooth_fields(rng);
  make_layers(rng);
}

void FluoroAnatomy::make_smooth_fields(Rng& rng) {
  const int64_t cells = (size_ + kCell - 1) / kCell;
  body_ = FluoroPlane(cells, cells);
  lung_ = FluoroPlane(cells, cells);
  FluoroPlane mottle(cells, cells);
  const double cell_mm = kCell * p_.pixel_mm;
  add_mottle(mottle, 25.0 / cell_mm, 0.05, rng);
  add_mottle(mottle, 9.0 / cell_mm, 0.025, rng);
  const double deepest = rng.uniform(0.22, 0.36) * p_.chest_mm;  // of both lungs
  const double mediastinum = rng.uniform(22.0, 32.0);
  const double arch = rng.uniform(0.0, 12.0);
  const double middle = spine_.x_mm + rng.uniform(-10.0, 10.0);
  const double slope_x = rng.uniform(-0.0012, 0.0012), slope_y = rng.uniform(-0.0012, 0.0012);
  for (int64_t y = 0; y < cells; ++y) {
    for (int64_t x = 0; x < cells; ++x) {
      const FluoroPoint q = cell_point(x, y, size_, p_.pixel_mm);
      const double aside = (q.x - middle) / 190.0;
      const double thick =
          p_.chest_mm * (1.0 - 0.35 * aside * aside + slope_x * q.x + slope_y * q.y);
      body_.row(y)[x] = static_cast<float>(FluoroMu::kWater * thick) + mottle.row(y)[x];
      // Lung on both sides of the mediastinum, which widens at the aortic arch and below.
      const double bulge = arch * std::exp(-std::pow((q.y - heart_.centre.y + 55.0) / 18.0, 2.0));
      const double edge = mediastinum + bulge + 0.08 * std::max(0.0, q.y - heart_.centre.y);
      const double away = std::abs(q.x - spine_.x_at(q.y)) - edge;
      const double round = std::sqrt(std::clamp(away / 55.0, 0.0, 1.0));
      lung_.row(y)[x] = static_cast<float>(kAir * deepest * (0.12 + 0.88 * round));
    }
  }
}

void FluoroAnatomy::make_layers(Rng& rng) {
  const double half = 0.5 * static_cast<double>(size_ - 1);
  fixed_ = FluoroPlane(size_, size_);
  add_spine(fixed_, spine_, p_.pixel_mm, {half, half});
  FluoroPlane scratch;
  gaussian_blur(fixed_, 0.35 / p_.pixel_mm, scratch);
  add_mottle(fixed_, 3.5 / p_.pixel_mm, 0.012, rng);
  add_mottle(fixed_, 1.2 / p_.pixel_mm, 0.007, rng);

  moving_ = FluoroPlane(size_ + 2 * margin_, size_ + 2 * margin_);
  const double origin = half + static_cast<double>(margin_);
  add_ribs(moving_, spine_, p_, {origin, origin}, rng);
  FluoroTubePainter painter(moving_.width, moving_.height);
  for (const double side : {-1.0, 1.0}) {
    for (int trunk = 0; trunk < 3; ++trunk) {
      FluoroTreeOptions options;
      options.root_radius_mm = rng.uniform(2.5, 4.5);
      options.smallest_radius_mm = 0.6;
      options.length_per_radius = 9.0;
      const FluoroPoint hilum{spine_.x_mm + side * rng.uniform(28.0, 40.0),
                              heart_.centre.y - rng.uniform(0.0, 45.0)};
      const double out = side > 0.0 ? 0.0 : kPi;
      const auto tree = grow_vessels(hilum, out + rng.uniform(-1.1, 1.1), options, rng);
      for (const auto& vessel : tree) {
        FluoroStroke stroke;
        const auto mean = static_cast<double>(vessel.radius.front());
        for (size_t i = 0; i < vessel.curve.size(); i += 3) {
          stroke.points.push_back(FluoroPoint{origin, origin} +
                                  (1.0 / p_.pixel_mm) * vessel.curve[i]);
          stroke.scales.push_back(static_cast<float>(static_cast<double>(vessel.radius[i]) / mean));
          stroke.gains.push_back(vessel.own[i]);
        }
        const FluoroTubeProfile profile(
            {.radius = mean / p_.pixel_mm, .mu = 0.75 * kAir * p_.pixel_mm});
        for (const auto& hit : painter.paint(stroke, profile)) {
          moving_.values[static_cast<size_t>(hit.pixel)] += hit.depth;
        }
      }
    }
  }
  gaussian_blur(moving_, 0.45 / p_.pixel_mm, scratch);
}

double FluoroAnatomy::heart_share(FluoroPoint at, FluoroPoint centre, double contraction) const {
  const FluoroPoint d = at - centre;
  const double c = std::cos(heart_.axis), s = std::sin(heart_.axis);
  const double shrink = 1.0 - 0.010 * p_.coronary_mm * contraction;
  const double along = (d.x * c + d.y * s) / (heart_.long_mm * shrink);
  const double across = (d.y * c - d.x * s) / (heart_.short_mm * shrink * (1.0 - egg_ * along));
  const double rest = 1.0 - along * along - across * across;
  return rest > 0.0 ? std::min(1.0, 1.15 * std::sqrt(rest)) : 0.0;
}

double FluoroAnatomy::liver_share(FluoroPoint at, double shift) const {
  // Two domes; the patient's right one (left in the picture) is higher.
  double most = 0.0;
  for (const double side : {-1.0, 1.0}) {
    const double x = at.x - (side < 0.0 ? dome_x_left_ : dome_x_right_);
    const double top = dome_y_ + (side > 0.0 ? dome_step_ : 0.0) + shift;
    const double below = at.y - top - 0.5 * x * x / dome_radius_;
    const double t = std::clamp(below / 38.0, 0.0, 1.0);
    most = std::max(most, 0.93 * std::sqrt(t * (2.0 - t)));
  }
  return most;
}

void FluoroAnatomy::render(const FluoroMotion& motion, double time_s, FluoroPlane& depth) const {
  const double shift = motion.diaphragm(time_s), beat = motion.contraction(time_s);
  const FluoroPoint centre = motion.place(heart_.centre, FluoroGroup::kHeart, time_s);
  FluoroPlane smooth_part(body_.width, body_.height);
  parallel_for(0, body_.height, 16, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      for (int64_t x = 0; x < body_.width; ++x) {
        const FluoroPoint q = cell_point(x, y, size_, p_.pixel_mm);
        const double air = (1.0 - heart_share(q, centre, beat)) * (1.0 - liver_share(q, shift));
        smooth_part.row(y)[x] = body_.row(y)[x] - lung_.row(y)[x] * static_cast<float>(air);
      }
    }
  });
  const FluoroPoint wall = motion.wall(time_s);
  const double limit = static_cast<double>(margin_) - 1.0;
  const double sx = std::clamp(-wall.x / p_.pixel_mm, -limit, limit) + static_cast<double>(margin_);
  const double sy = std::clamp(-wall.y / p_.pixel_mm, -limit, limit) + static_cast<double>(margin_);
  const auto ix = static_cast<int64_t>(sx), iy = static_cast<int64_t>(sy);
  const auto fx = static_cast<float>(sx - static_cast<double>(ix));
  const auto fy = static_cast<float>(sy - static_cast<double>(iy));
  const float w00 = (1 - fx) * (1 - fy), w01 = fx * (1 - fy), w10 = (1 - fx) * fy, w11 = fx * fy;
  parallel_for(0, size_, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      float* row = depth.row(y);
      const float* fixed = fixed_.row(y);
      const float* a = moving_.row(y + iy) + ix;
      const float* b = moving_.row(y + iy + 1) + ix;
      for (int64_t x = 0; x < size_; ++x) {
        row[x] = fixed[x] + w00 * a[x] + w01 * a[x + 1] + w10 * b[x] + w11 * b[x + 1];
      }
      add_coarse_row(smooth_part, kCell, y, size_, 1.0F, row);
    }
  });
}

}  // namespace voxloom::dataset
