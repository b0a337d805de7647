#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace voxloom::infer {

class RunMask;

/// How sure a model is of one object that it found; higher is less sure. For choosing which image
/// a person should look at next, not a measure of quality.
struct ObjectScores {
  /// Mean entropy of the voxel probabilities inside the dilated box of the object, in bits.
  double entropy = 0.0;
  /// 1 - Dice of the forward and the backward pass. Absent where the passes don't visit the same
  /// slices (one key slice) or the model has no directions.
  std::optional<double> disagreement;
  /// Mean of (1 - p)^2 (-ln p) with p = max(p_fg, 1 - p_fg) inside the dilated box: the focal loss
  /// (Lin et al., ICCV 2017, eq. 4, gamma 2) that the model's own answer would have if it were
  /// right, at most 0.173.
  double hardness = 0.0;

  bool operator==(const ObjectScores&) const = default;
};

/// Entropy in bits of a voxel that is in the object with probability p.
[[nodiscard]] double voxel_entropy(double p);
[[nodiscard]] double voxel_hardness(double p);

/// Sums voxels up; no voxel is kept.
class ScoreSums {
 public:
  void add(double p);
  [[nodiscard]] int64_t count() const { return count_; }
  /// Absent when nothing was added.
  [[nodiscard]] std::optional<ObjectScores> result() const;

 private:
  double entropy_ = 0.0, hardness_ = 0.0;
  int64_t count_ = 0;
};

/// The ends lo ... hi (both inside) moved out by a tenth of the length, at least two, kept within
/// 0 ... size - 1: one axis of the dilated box.
[[nodiscard]] std::array<int64_t, 2> dilated(int64_t lo, int64_t hi, int64_t size);

/// 1 - Dice of two masks; absent when both are empty.
[[nodiscard]] std::optional<double> disagreement_of(const RunMask& a, const RunMask& b);

}  // namespace voxloom::infer
