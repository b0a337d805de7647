#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/metrics/group_bootstrap.h"
#include "voxloom/metrics/wire_metrics.h"

namespace voxloom::metrics {

/// The measurements of a whole set: cases (frames) in sequences, added in order of time within
/// their sequence.
class WireTable {
 public:
  struct Row {
    std::string id, sequence;
    WireMetrics metrics;
  };

  /// Throws kInvalidArgument for an id that is there already, or a thinning other than that of the
  /// rows before.
  void add(std::string id, std::string sequence, WireMetrics metrics);

  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

  /// Names that values() gives in any row, in the order of their first appearance.
  [[nodiscard]] std::vector<std::string> names() const;

  /// Per-image mean of one number with its bootstrap interval by sequence, over the cases where it
  /// is defined. Throws kInvalidArgument when there is none.
  [[nodiscard]] Interval mean_of(std::string_view name,
                                 const BootstrapOptions& options = kGroupBootstrap) const;

  /// What `eval` writes. `metrics`: per-image means, each with its 95 % interval by sequence, the
  /// number of cases where it is defined, median and 95th percentile. `pooled`: Dice, IoU,
  /// precision and recall of the summed pixels. `tip`, `temporal` and `davis`: over frames, and
  /// means over sequences. Then `per_sequence` and `per_case`. Throws kInvalidArgument when empty.
  [[nodiscard]] nlohmann::ordered_json to_json(int64_t resamples = kGroupBootstrap.resamples,
                                               uint64_t seed = 0) const;

 private:
  std::vector<Row> rows_;
  std::unordered_set<std::string> ids_;
};

/// Mean of `name` in a minus that in b over the cases (by id) where both define it, with interval
/// and p by sequence. Throws kInvalidArgument unless both hold the same ids in the same sequences,
/// or when no case defines it.
[[nodiscard]] PairedDifference compare_tables(const WireTable& a,
                                              const WireTable& b,
                                              std::string_view name,
                                              const BootstrapOptions& options = kGroupBootstrap);

}  // namespace voxloom::metrics
