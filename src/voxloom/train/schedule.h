#pragma once

#include <cstdint>

#include "voxloom/train/trainer_options.h"

namespace voxloom::train {

/// What the learning rate of step `step` (from 0) of `total` is multiplied with.
///
/// Warm-up over w steps: (step + 1) / w. After it, with u = (step - w) / (total - w):
///   constant, plateau   1
///   cosine              m + (1 - m) (1 + cos(pi u)) / 2, m = min_lr_factor
///   poly                m + (1 - m) (1 - u)^0.9
/// one-cycle (Smith and Topin, arXiv:1708.07120; cosine arms): from 1/25 to 1 over the first 30 %
/// of the steps, then down to 1/250000.
/// Plateau also has plateau_factor^drops: `drops` is counted by the trainer.
[[nodiscard]] double schedule_factor(const TrainerOptions& options,
                                     int64_t step,
                                     int64_t total,
                                     int64_t drops);

}  // namespace voxloom::train
