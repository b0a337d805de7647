#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "voxloom/train/task.h"

namespace voxloom::train {

/// Everything a run knows beside its tensors. A checkpoint holds it, so that a resumed run goes on
/// as if nothing had happened; what is not here must follow from it and the options.
struct TrainingState {
  int64_t step = 0;  ///< Updates done, skipped ones too.
  int64_t validated_step = 0;
  int64_t skipped_steps = 0;  ///< Updates left out because fp16 gradients were not finite.

  // Best validation.
  int64_t best_step = 0;  ///< 0: none yet.
  double best_value = 0.0;
  Metrics best_metrics;
  Metrics last_metrics;
  int64_t stale_validations = 0;  ///< Since the best one.
  int64_t plateau_stale = 0;      ///< Since the best one or the last drop of the rate.
  int64_t plateau_drops = 0;

  // Sums since the last line of metrics.jsonl.
  int64_t window_steps = 0, window_batches = 0;
  double window_loss = 0.0, window_gradient_norm = 0.0;
  Metrics window_terms;

  double loss_scale = 1.0;
  int64_t loss_scale_good_steps = 0;
  int64_t averaged_updates = 0;
  int64_t metrics_bytes = 0;  ///< Size of metrics.jsonl.

  // For the report; they differ from run to run.
  double elapsed_s = 0.0, loader_wait_s = 0.0, step_s = 0.0;
  int64_t items = 0;

  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// Throws kDataCorrupt starting with `where`.
  static TrainingState from_json(const nlohmann::ordered_json& json, const std::string& where);
};

/// Numbers as JSON; one that is not finite is null.
[[nodiscard]] nlohmann::ordered_json metrics_to_json(const Metrics& metrics);

}  // namespace voxloom::train
