#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/recipes/segment/commands.h"
#include "voxloom/recipes/segment/task.h"
#include "voxloom/recipes/train_run.h"
#include "voxloom/train/trainer.h"

namespace voxloom::recipes::segment {

using nlohmann::ordered_json;

ordered_json train(const infer::SegmentTrainOptions& options,
                   const std::string& command_line,
                   bool force,
                   Progress& progress,
                   const CancelToken& stop) {
  auto given = options;
  given.trainer.threads = thread_budget();
  at::set_num_threads(thread_budget());
  const auto package = weights::find_package(options.model);
  VOXLOOM_CHECK(package.info.task == "segment",
                ErrorCode::kInvalidArgument,
                "--model '{}': must be for the task segment, got {}",
                options.model,
                package.info.task);
  const auto volumes = dataset::read_labelled_volumes(options.data);
  auto split = split_cases(volumes, options.val_share, static_cast<uint64_t>(options.trainer.seed));
  auto cases =
      std::make_shared<CaseStore>(volumes, options.window, options.cache_mb << 20, progress, stop);
  auto network = models::sam2::load_sam2(weights::read_package_weights(package),
                                         package.info.variant,
                                         (package.folder / weights::kWeightsFile).string());
  train::RunInfo info{.command_line = command_line,
                      .version = VOXLOOM_VERSION,
                      .data_fingerprint = cases->fingerprint(),
                      .threads = given.trainer.threads};
  OptionList list;
  given.visit(list);
  info.add_options(list);
  SegmentTask task(given, std::move(network), cases, std::move(split), package.info);
  train::Run run = open_run(given.run, given.resume, force, std::move(info));
  ordered_json baseline = ordered_json::object();
  if (options.baseline) {
    for (const auto& [name, value] : task.validate(progress, stop)) baseline[name] = value;
  }
  auto result = run_training(task, &run, given.trainer, progress, stop);
  if (options.baseline) result["baseline"] = std::move(baseline);
  return result;
}

}  // namespace voxloom::recipes::segment
