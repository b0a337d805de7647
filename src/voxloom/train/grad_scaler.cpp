#include "voxloom/train/grad_scaler.h"

namespace voxloom::train {

void GradScaler::update(bool finite) {
  if (!enabled_) return;
  if (!finite) {
    scale_ /= 2.0;
    good_steps_ = 0;
  } else if (++good_steps_ == kGrowthSteps) {
    scale_ *= 2.0;
    good_steps_ = 0;
  }
}

void GradScaler::restore(double scale, int64_t good_steps) {
  if (!enabled_) return;
  scale_ = scale;
  good_steps_ = good_steps;
}

}  // namespace voxloom::train
