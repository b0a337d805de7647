#pragma once

#include <cstdint>

namespace voxloom::train {

/// The factor of the loss in fp16 training, which keeps small gradients from vanishing: halved
/// when a gradient is not finite (that step is skipped), doubled after 2,000 good steps
/// (guidewire.md 9.4). With scaling off the factor is always 1.
class GradScaler {
 public:
  static constexpr double kFirst = 65536.0;
  static constexpr int64_t kGrowthSteps = 2000;

  explicit GradScaler(bool enabled) : enabled_(enabled), scale_(enabled ? kFirst : 1.0) {}

  [[nodiscard]] bool enabled() const { return enabled_; }
  [[nodiscard]] double scale() const { return scale_; }
  [[nodiscard]] int64_t good_steps() const { return good_steps_; }

  /// After a step whose gradients were finite, or not.
  void update(bool finite);
  /// False once no scale of 1 or more is left: the numbers are bad whatever the scale.
  [[nodiscard]] bool can_shrink() const { return enabled_ && scale_ >= 2.0; }

  /// Takes up where a checkpoint left off.
  void restore(double scale, int64_t good_steps);

 private:
  bool enabled_;
  double scale_;
  int64_t good_steps_ = 0;
};

}  // namespace voxloom::train
