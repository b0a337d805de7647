#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/recipes/wire/commands.h"
#include "voxloom/recipes/wire/detector_task.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/recipes/wire/task.h"
#include "voxloom/train/trainer.h"

namespace voxloom::recipes::wire {
namespace {

using dataset::Role;
using dataset::Sample;
using nlohmann::ordered_json;

std::vector<Sample> of_roles(const std::vector<Sample>& samples,
                             std::initializer_list<Role> roles) {
  std::vector<Sample> out;
  for (const auto& sample : samples) {
    if (sample.mask.empty()) continue;
    for (const auto role : roles) {
      if (sample.role == role) out.push_back(sample);
    }
  }
  return out;
}

std::unique_ptr<train::Task> make_task(const infer::WireTrainOptions& options,
                                       const SampleSet& set) {
  auto train = of_roles(set.samples, {Role::kTrain, Role::kFinetune});
  auto validation = of_roles(set.samples, {Role::kVal});
  auto classes = object_classes(options.classes, set.samples);
  if (options.architecture == models::wire::kDetectorName) {
    return std::make_unique<DetectorTask>(
        options, std::move(train), std::move(validation), std::move(classes), set.fingerprint);
  }
  return std::make_unique<WireTask>(
      options, std::move(train), std::move(validation), std::move(classes), set.fingerprint);
}

}  // namespace

ordered_json train(const infer::WireTrainOptions& options,
                   const std::string& command_line,
                   bool force,
                   Progress& progress,
                   const CancelToken& stop) {
  const auto set = read_samples(options.data);
  refuse_sealed(set.samples);
  auto given = options;
  given.trainer.threads = thread_budget();
  at::set_num_threads(thread_budget());

  train::RunInfo info{.command_line = command_line,
                      .version = VOXLOOM_VERSION,
                      .data_fingerprint = set.fingerprint,
                      .threads = given.trainer.threads};
  OptionList list;
  given.visit(list);
  info.add_options(list);
  const auto task = make_task(given, set);
  train::Run run =
      options.resume
          ? train::Run::resume(options.run, std::move(info))
          : train::Run::create(
                options.run, std::move(info), force ? Overwrite::kReplace : Overwrite::kRefuse);
  const auto result = train::Trainer(*task, run, given.trainer).fit(progress, stop);
  if (result.reason == train::EndReason::kCancelled) {
    throw Error(ErrorCode::kCancelled,
                format("run '{}': stopped at step {}; --resume goes on from there",
                       run.folder().string(),
                       result.steps));
  }
  ordered_json metrics = ordered_json::object();
  for (const auto& [name, value] : result.best_metrics) metrics[name] = value;
  return {{"run", run.folder().string()},
          {"model", run.model().string()},
          {"report", run.report().string()},
          {"ended",
           result.reason == train::EndReason::kAllSteps ? "all steps done" : "no better metric"},
          {"steps", result.steps},
          {"best_step", result.best_step},
          {"metrics", std::move(metrics)}};
}

}  // namespace voxloom::recipes::wire
