#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/train/run.h"
#include "voxloom/train/task.h"
#include "voxloom/train/trainer_options.h"
#include "voxloom/train/training_state.h"

namespace voxloom::train {

/// Writes report.html of a run, one file that needs no other: state and times, curves of loss,
/// learning rate and validation metrics (from metrics.jsonl), pictures, all options.
void write_report(const Run& run,
                  const TrainerOptions& options,
                  const TrainingState& state,
                  int64_t total_steps,
                  const std::vector<Picture>& pictures);

/// The run's options as a Markdown table, for TensorBoard.
[[nodiscard]] std::string options_markdown(const RunInfo& info);

}  // namespace voxloom::train
