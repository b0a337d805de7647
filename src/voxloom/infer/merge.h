#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt_plan.h"

namespace voxloom::infer {

/// A run of set pixels in one row: x0 ... x1, both inside.
struct Run {
  int32_t y = 0, x0 = 0, x1 = 0;
  bool operator==(const Run&) const = default;
};

/// A binary mask of a volume as runs, slice by slice: what one pass leaves behind. Its memory is
/// that of the object's outline, not of the volume.
class RunMask {
 public:
  RunMask() = default;
  explicit RunMask(const image::Index3& size);

  [[nodiscard]] const image::Index3& size() const { return size_; }
  /// Replaces slice z by `pixels` [H, W], non-zero is set.
  void set_slice(int64_t z, std::span<const uint8_t> pixels);
  void set_runs(int64_t z, std::vector<Run> runs);
  /// Sorted by row, then column; neighbouring runs of a row do not touch.
  [[nodiscard]] const std::vector<Run>& runs(int64_t z) const {
    return slices_[static_cast<size_t>(z)];
  }
  /// Slice z as 0 or 1, [H, W].
  [[nodiscard]] std::vector<uint8_t> slice(int64_t z) const;
  [[nodiscard]] int64_t count() const;  ///< Set voxels.
  [[nodiscard]] bool empty() const;

 private:
  image::Index3 size_{0, 0, 0};
  std::vector<std::vector<Run>> slices_;
};

/// What both passes agree on, and what only one of them found.
struct MergedMask {
  RunMask certain, uncertain;
};

/// Puts the passes of one object together, in the order of plan.passes (one or two masks).
/// Two-ended: kIntersection keeps voxels of both as certain and those of one as uncertain; kUnion
/// makes all of them certain. Halves around a key slice, or one pass alone: all certain.
/// Range and clip boxes of the plan are applied.
[[nodiscard]] MergedMask merge_passes(const std::vector<const RunMask*>& passes,
                                      const ObjectPlan& plan,
                                      Merge merge);

/// What `components` largest keeps of one object: the largest 26-connected part of the certain
/// voxels (ties: the one met first in z, y, x order) and every part that holds a positive one of
/// the object's `points`; and the uncertain voxels that are connected to a kept part through
/// certain or uncertain ones. A point on an uncertain voxel keeps all that is connected to it.
/// Without certain voxels: the same of the uncertain ones.
void keep_largest(MergedMask& mask, const std::vector<PointPrompt>& points);

/// One object ready to be written.
struct MergedObject {
  std::string name;
  uint16_t value = 1;
  MergedMask mask;
};

/// Writes all objects into one label map. Where objects overlap, the later one in the list has the
/// voxel (as later labels paint over earlier ones in annotation programs); a certain voxel of any
/// object goes before an uncertain one. Uncertain voxels get the highest object value + 1, a label
/// named "uncertain" that is listed when there is such a voxel.
/// Throws kInvalidArgument when that value would exceed 65535.
[[nodiscard]] image::LabelVolume compose_labels(const image::Geometry& geometry,
                                                const std::vector<MergedObject>& objects,
                                                const CancelToken& stop);

}  // namespace voxloom::infer
