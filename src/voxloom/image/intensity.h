#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::image {

/// Facts about all voxels of a volume. min and max leave NaN out; both are 0 when nothing is left.
struct IntensitySummary {
  int64_t voxels = 0, nan = 0;
  int64_t above_zero = 0;
  int64_t below_minus_500 = 0;
  double min = 0.0, max = 0.0;
};

/// Exact statistics of a volume that need not fit into memory: reads `source` slab by slab, at most
/// about 64 MB at a time. The constructor makes one pass; percentiles of 8- and 16-bit types need
/// no other, 32-bit types at most one more, 64-bit types at most three more.
///
/// Values are turned into unsigned keys of the same order; a pass counts the next 16 bits of the
/// keys and keeps each bin's extremes, so that a bin of equal values is resolved at once.
class IntensityScan {
 public:
  /// kSkip leaves out the tables that percentiles need.
  enum class Histogram { kCount, kSkip };

  explicit IntensityScan(VolumeSource& source, Histogram histogram = Histogram::kCount);
  ~IntensityScan();
  IntensityScan(const IntensityScan&) = delete;
  IntensityScan& operator=(const IntensityScan&) = delete;

  [[nodiscard]] const IntensitySummary& summary() const { return summary_; }

  /// numpy.percentile(v[v > 0], percents), linear interpolation. percents within [0, 100].
  /// Throws kInvalidArgument when no voxel is above 0.
  [[nodiscard]] std::vector<double> percentiles_above_zero(const std::vector<double>& percents);

 private:
  struct Table;
  VolumeSource& source_;
  IntensitySummary summary_;
  std::unique_ptr<Table> positive_;  ///< Top bits of the keys of the voxels above 0.
};

}  // namespace voxloom::image
