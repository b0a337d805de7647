#include "voxloom/dataset/fluoro_tube.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace voxloom::dataset {
namespace {

double chord(double radius, double d) {
  const double rest = radius * radius - d * d;
  return rest > 0.0 ? 2.0 * std::sqrt(rest) : 0.0;
}

}  // namespace

FluoroTubeProfile::FluoroTubeProfile(const Shape& s)
    : radius_(static_cast<float>(s.radius)),
      reach_(static_cast<float>(s.radius + 0.5 + 3.0 * s.blur)),
      inverse_step_(0.0F) {
  const double step = std::max(1.0 / 16.0, s.radius / 128.0);
  inverse_step_ = static_cast<float>(1.0 / step);
  // Share of every offset: a pixel's width, softened by the blur.
  constexpr int kSamples = 48;
  const double half = 0.5 + 3.0 * s.blur, width = 2.0 * half / kSamples;
  std::array<double, kSamples> offsets{}, weights{};
  double total = 0.0;
  for (int k = 0; k < kSamples; ++k) {
    const auto i = static_cast<size_t>(k);
    offsets[i] = (k + 0.5) * width - half;
    const double soft = std::sqrt(2.0) * s.blur;
    weights[i] = s.blur > 0.0
                     ? std::erf((offsets[i] + 0.5) / soft) - std::erf((offsets[i] - 0.5) / soft)
                     : 1.0;
    total += weights[i];
  }
  for (double d = 0.0; d < static_cast<double>(reach_) + 2.0 * step; d += step) {
    double sum = 0.0;
    for (size_t k = 0; k < offsets.size(); ++k) {
      const double core = chord(s.core, d + offsets[k]);
      sum += weights[k] * (s.mu * (chord(s.radius, d + offsets[k]) - core) + s.core_mu * core);
    }
    table_.push_back(static_cast<float>(sum / total));
  }
}

FluoroTubePainter::FluoroTubePainter(int64_t width, int64_t height)
    : width_(width), height_(height), cells_(static_cast<size_t>(width * height)) {}

const std::vector<FluoroTubePainter::Hit>& FluoroTubePainter::paint(
    const FluoroStroke& stroke, const FluoroTubeProfile& profile) {
  ++stamp_;
  touched_.clear();
  hits_.clear();
  double arc = 0.0;
  for (size_t i = 0; i + 1 < stroke.points.size(); ++i) {
    paint_segment(stroke, profile, i, arc);
    arc += length(stroke.points[i + 1] - stroke.points[i]);
  }
  for (const int64_t p : touched_) {
    const Cell& cell = cells_[static_cast<size_t>(p)];
    const float depth = cell.depth + cell.gain * profile.at(cell.nearest);
    if (depth > 0.0F || cell.inside) hits_.push_back({p, depth, cell.inside});
  }
  return hits_;
}

void FluoroTubePainter::paint_segment(const FluoroStroke& stroke,
                                      const FluoroTubeProfile& profile,
                                      size_t i,
                                      double arc) {
  const FluoroPoint a = stroke.points[i], b = stroke.points[i + 1], ab = b - a;
  const auto value = [](const std::vector<float>& list, size_t k) {
    return list.empty() ? 1.0F : list[k];
  };
  const float scale_a = value(stroke.scales, i), scale_b = value(stroke.scales, i + 1);
  const float gain_a = value(stroke.gains, i), gain_b = value(stroke.gains, i + 1);
  const float widest = std::max(scale_a, scale_b);
  const double reach =
      std::max(static_cast<double>(profile.reach() * widest), kFluoroLabelDistancePx);
  const auto clip = [](double v, int64_t size) {
    return std::clamp<int64_t>(static_cast<int64_t>(std::clamp(v, -1.0e6, 1.0e6)), 0, size);
  };
  const int64_t x0 = clip(std::ceil(std::min(a.x, b.x) - reach), width_);
  const int64_t x1 = clip(std::floor(std::max(a.x, b.x) + reach) + 1.0, width_);
  const int64_t y0 = clip(std::ceil(std::min(a.y, b.y) - reach), height_);
  const int64_t y1 = clip(std::floor(std::max(a.y, b.y) + reach) + 1.0, height_);
  if (x0 >= x1 || y0 >= y1) return;

  const double squared = ab.x * ab.x + ab.y * ab.y, seg = std::sqrt(squared);
  const auto ux = static_cast<float>(squared > 0.0 ? ab.x / squared : 0.0);
  const auto uy = static_cast<float>(squared > 0.0 ? ab.y / squared : 0.0);
  const auto seg_f = static_cast<float>(seg), arc_f = static_cast<float>(arc);
  const auto abx = static_cast<float>(ab.x), aby = static_cast<float>(ab.y);
  const float limit = static_cast<float>(reach * reach);
  const float strand_gap = 2.0F * static_cast<float>(reach) + 2.0F + seg_f;
  for (int64_t y = y0; y < y1; ++y) {
    const auto dy = static_cast<float>(static_cast<double>(y) - a.y);
    for (int64_t x = x0; x < x1; ++x) {
      const auto dx = static_cast<float>(static_cast<double>(x) - a.x);
      const float t = std::clamp(dx * ux + dy * uy, 0.0F, 1.0F);
      const float ex = dx - t * abx, ey = dy - t * aby;
      const float d2 = ex * ex + ey * ey;
      if (d2 > limit) continue;
      const float scale = scale_a + t * (scale_b - scale_a);
      const float d = std::sqrt(d2), nearest = d / scale;
      const float gain = (gain_a + t * (gain_b - gain_a)) * scale;
      const bool inside =
          d <= std::max(profile.radius() * scale, static_cast<float>(kFluoroLabelDistancePx));
      const int64_t p = y * width_ + x;
      Cell& cell = cells_[static_cast<size_t>(p)];
      const float here = arc_f + t * seg_f;
      if (cell.stamp != stamp_) {
        cell = {stamp_, nearest, gain, here, 0.0F, inside};
        touched_.push_back(p);
        continue;
      }
      if (here - cell.arc > strand_gap) {  // the tube comes by again
        cell.depth += cell.gain * profile.at(cell.nearest);
        cell.nearest = nearest;
        cell.gain = gain;
      } else if (nearest < cell.nearest) {
        cell.nearest = nearest;
        cell.gain = gain;
      }
      cell.arc = here;
      cell.inside = cell.inside || inside;
    }
  }
}

}  // namespace voxloom::dataset
