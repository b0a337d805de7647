#include "voxloom/recipes/train_run.h"

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/train/distributed/communicator.h"
#include "voxloom/train/trainer.h"

namespace voxloom::recipes {

using nlohmann::ordered_json;

train::Run open_run(const std::string& folder, bool resume, bool force, train::RunInfo info) {
  return resume ? train::Run::resume(folder, std::move(info))
                : train::Run::create(
                      folder, std::move(info), force ? Overwrite::kReplace : Overwrite::kRefuse);
}

ordered_json run_training(train::Task& task,
                          train::Run* run,
                          const infer::TrainerOptions& options,
                          Progress& progress,
                          const CancelToken& stop,
                          train::Communicator* ranks) {
  const auto result = train::Trainer(task, run, options, ranks).fit(progress, stop);
  if (result.reason == train::EndReason::kCancelled) {
    throw Error(ErrorCode::kCancelled,
                format("training{}: stopped at step {}; --resume goes on from there",
                       run != nullptr ? format(" '{}'", run->folder().string()) : std::string(),
                       result.steps));
  }
  if (run == nullptr) return {{"rank", ranks->rank()}, {"steps", result.steps}};
  ordered_json metrics = ordered_json::object();
  for (const auto& [name, value] : result.best_metrics) metrics[name] = value;
  return {{"run", run->folder().string()},
          {"model", run->model().string()},
          {"report", run->report().string()},
          {"ended",
           result.reason == train::EndReason::kAllSteps ? "all steps done" : "no better metric"},
          {"steps", result.steps},
          {"best_step", result.best_step},
          {"items_per_s", result.items_per_s},
          {"loader_wait_share", result.loader_wait_share},
          {"metrics", std::move(metrics)}};
}

}  // namespace voxloom::recipes
