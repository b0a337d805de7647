#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/image/geometry.h"
#include "voxloom/infer/prompt.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {

/// A rectangle of pixels; both ends inside.
struct Rect {
  int64_t x0 = 0, y0 = 0, x1 = 0, y1 = 0;

  [[nodiscard]] int64_t width() const { return x1 - x0 + 1; }
  [[nodiscard]] int64_t height() const { return y1 - y0 + 1; }
  [[nodiscard]] bool contains(int64_t x, int64_t y) const {
    return x >= x0 && x <= x1 && y >= y0 && y <= y1;
  }
  bool operator==(const Rect&) const = default;
};

/// A click on a key slice.
struct SliceClick {
  int64_t x = 0, y = 0;
  bool positive = true;
  bool operator==(const SliceClick&) const = default;
};

/// What a model is told on one key slice: a box, a mask or neither, and points.
struct KeySlice {
  int64_t z = 0;
  std::optional<Rect> box;
  std::vector<SliceClick> points;
  std::optional<size_t> mask;  ///< Index into ObjectPrompt::masks.
  bool operator==(const KeySlice&) const = default;
};

/// One walk through the slices `first`, `first` +- 1, ... `last` with all keys as conditioning.
/// A key slice on the way is visited as any other, with its prompt's own mask as its result.
struct SlicePass {
  bool forward = true;  ///< Towards higher z.
  int64_t first = 0, last = 0;
  bool operator==(const SlicePass&) const = default;
};

/// On slices z0 ... z1 only `rect` may be written. Several on a slice: inside any of them.
struct ClipRange {
  int64_t z0 = 0, z1 = 0;
  Rect rect;
  bool operator==(const ClipRange&) const = default;
};

/// How one object is segmented: DESIGN section 5, "Prompts and merging".
struct ObjectPlan {
  std::vector<KeySlice> keys;     ///< Sorted by z, one per slice, at least one.
  int64_t z_lo = 0, z_hi = 0;     ///< Nothing is written outside; both inside.
  std::vector<SlicePass> passes;  ///< In the order in which they run.
  /// The passes walk the same slices from both ends and are merged voxel by voxel. Otherwise they
  /// are the two halves around one key slice, which belongs to both and is computed once.
  bool two_ended = false;
  std::vector<ClipRange> clips;    ///< Empty: no clipping.
  std::vector<std::string> notes;  ///< Prompts that can't have an effect, for the report.

  bool operator==(const ObjectPlan&) const = default;
};

/// The smallest side of a pair's box in pixels; below it the pair's points are used instead.
inline constexpr int64_t kSmallestPairBox = 4;

/// Plans one object. The prompts must have passed validate_prompts.
///
/// 1. A box or mask makes a key slice: its z, or (z0 + z1) / 2 of a box with depth. Points on such
///    a slice refine it.
/// 2. The other points, when they lie on one slice, make it a key slice. On several slices each
///    pair of neighbours (z_i, z_j) makes the key slice (z_i + z_j) / 2 with the smallest box
///    around the positive points of both ("largest box" they span) and their negative points; a
///    box with a side below 4 px is replaced by the points. A pair without a positive point makes
///    no key slice; its slices still count for the range. Beside a box or mask, negative points
///    alone on another slice select nothing: they are noted and left out.
/// 3. Range: all slices for one key slice; z0 ... z1 for one box with depth; lowest to highest z
///    of all prompts where points on several slices or several boxes or masks were given, or all
///    slices with `extend`. `slice_range` and `max_slices` make it smaller.
/// 4. Passes: two halves for one key slice, else the whole range from each end.
///
/// Throws kInvalidArgument when `slice_range` leaves no slice, or not the only key slice.
[[nodiscard]] ObjectPlan plan_object(const ObjectPrompt& object,
                                     const image::Geometry& geometry,
                                     const SegmentOptions& options);

/// Whether (x, y, z) may be written under the plan's range and clip boxes.
[[nodiscard]] bool may_write(const ObjectPlan& plan, int64_t x, int64_t y, int64_t z);

}  // namespace voxloom::infer
