#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/trainer_options.h"
#include "voxloom/train/run.h"
#include "voxloom/train/task.h"

namespace voxloom::train {
class Communicator;
}

namespace voxloom::recipes {

/// A new run folder (kAlreadyExists when one is there and not `force`), or with `resume` the one
/// that is there.
[[nodiscard]] train::Run open_run(const std::string& folder,
                                  bool resume,
                                  bool force,
                                  train::RunInfo info);

/// Trains `task` into the run folder. Returns where things are and how it ended: run, model,
/// report, ended, steps, best_step, metrics. Throws kCancelled when it was stopped; --resume then
/// goes on. Ranks but the first have no run folder (null) and return their rank and steps.
[[nodiscard]] nlohmann::ordered_json run_training(train::Task& task,
                                                  train::Run* run,
                                                  const infer::TrainerOptions& options,
                                                  Progress& progress,
                                                  const CancelToken& stop,
                                                  train::Communicator* ranks = nullptr);

}  // namespace voxloom::recipes
