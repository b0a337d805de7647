#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/models/sam2/memory.h"
#include "voxloom/models/sam2/options.h"
#include "voxloom/models/sam2/tracker_types.h"

namespace voxloom::models::sam2 {

/// What the tracker keeps of one slice.
struct SliceRecord {
  std::shared_ptr<const MemoryFrame> memory;  ///< Null once nothing can read it any more.
  at::Tensor pointer;                         ///< [1, C]
  at::Tensor low;                             ///< [1, 1, 4g, 4g], holes filled; may be undefined.
  float score = 0;
  float iou = 0;
};

/// The slices an object remembers, and which of them a slice reads (Ravi et al. 2024, section 4;
/// reference file sam2/modeling/sam2_base.py).
class MemoryBank {
 public:
  MemoryBank(const Sam2Options& options, int64_t num_slices);

  std::map<int64_t, SliceRecord> prompted;  ///< Conditioning slices: always remembered.
  std::map<int64_t, SliceRecord> tracked;   ///< All others.

  /// Maps that slice `t` reads when it is reached in `direction`, with their temporal rows:
  /// prompted slices (last row), then up to six tracked ones, the farthest first.
  [[nodiscard]] std::vector<MemoryRead::Map> maps_for(int64_t t, Direction direction) const;

  struct Pointer {
    int64_t distance = 0;  ///< Signed, in the direction of travel.
    at::Tensor value;      ///< [1, C]
  };
  /// Object pointers that slice `t` reads: prompted slices already passed, then tracked ones.
  [[nodiscard]] std::vector<Pointer> pointers_for(int64_t t, Direction direction) const;
  /// The distance that pointer distances are divided by.
  [[nodiscard]] int64_t longest_distance() const { return pointer_horizon_ - 1; }

  /// Drops what no slice after `t` in `direction` can read.
  void forget_behind(int64_t t, Direction direction);
  /// Keeps those slices, but drops what the backend made of their maps (35 times their size).
  void release_behind(int64_t t, Direction direction);

 private:
  /// Prompted slices read by `t`; the others.
  struct Selection {
    std::vector<int64_t> chosen, others;
  };
  [[nodiscard]] Selection select_prompted(int64_t t) const;
  /// Record of a tracked slice, or of a prompted one that was not chosen; null when none.
  [[nodiscard]] const SliceRecord* tracked_or(int64_t slice, const Selection& selection) const;
  /// Slice remembered at distance rank `t_rel` (1 = neighbour) from `t`.
  [[nodiscard]] int64_t remembered_slice(int64_t t, int64_t t_rel, Direction direction) const;

  /// Tracked slices farther behind than this are not read as maps.
  [[nodiscard]] int64_t longest_map_distance() const { return (num_memories_ - 1) * stride_ + 1; }

  int64_t num_memories_, stride_, max_prompted_, pointer_horizon_, num_slices_;
};

}  // namespace voxloom::models::sam2
