#include "voxloom/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace voxloom::train {
namespace {

/// From `a` at u = 0 to `b` at u = 1 along half a cosine.
double cosine_between(double a, double b, double u) {
  return b + (a - b) * (1.0 + std::cos(std::numbers::pi * u)) / 2.0;
}

double one_cycle(int64_t step, int64_t total) {
  constexpr double kRise = 0.3, kStart = 1.0 / 25.0, kEnd = kStart / 1e4;
  const double top = kRise * static_cast<double>(total) - 1.0;  // step of the highest rate
  const double last = static_cast<double>(total) - 1.0;
  const auto at = static_cast<double>(step);
  if (at <= top) return cosine_between(kStart, 1.0, top > 0 ? at / top : 1.0);
  return cosine_between(1.0, kEnd, std::min(1.0, (at - top) / (last - top)));
}

}  // namespace

double schedule_factor(const TrainerOptions& options, int64_t step, int64_t total, int64_t drops) {
  if (options.schedule == ScheduleKind::kOneCycle) return one_cycle(step, total);
  const int64_t warmup = options.warmup_steps;
  const double plateau = options.schedule == ScheduleKind::kPlateau
                             ? std::pow(options.plateau_factor, static_cast<double>(drops))
                             : 1.0;
  if (step < warmup) return plateau * static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double u = std::min(1.0,
                            static_cast<double>(step - warmup) /
                                static_cast<double>(std::max<int64_t>(1, total - warmup)));
  const double floor = options.min_lr_factor;
  switch (options.schedule) {
    case ScheduleKind::kCosine:
      return cosine_between(1.0, floor, u);
    case ScheduleKind::kPoly:
      return floor + (1.0 - floor) * std::pow(1.0 - u, 0.9);
    default:
      return plateau;
  }
}

}  // namespace voxloom::train
