#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/recipes/wire/commands.h"
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

}  // namespace

ordered_json train(const infer::WireTrainOptions& options,
                   const std::string& command_line,
                   bool force,
                   Progress& progress,
                   const CancelToken& stop) {
  const auto set = read_samples(options.data);
  refuse_sealed(set.samples);
  dataset::refuse_violations(
      dataset::check_hold_out(set.samples, dataset::completeness(options.incomplete)), "data");
  auto given = options;
  given.trainer.threads = thread_budget();
  at::set_num_threads(thread_budget());

  train::RunInfo info{.command_line = command_line,
                      .version = VOXLOOM_VERSION,
                      .data_fingerprint = set.fingerprint,
                      .notes = dataset::report_notes(set.samples),
                      .threads = given.trainer.threads};
  OptionList list;
  given.visit(list);
  info.add_options(list);
  WireTask task(given,
                of_roles(set.samples, {Role::kTrain, Role::kFinetune}),
                of_roles(set.samples, {Role::kVal}),
                object_classes(options.classes, set.samples),
                set.fingerprint);
  train::Run run =
      options.resume
          ? train::Run::resume(options.run, std::move(info))
          : train::Run::create(
                options.run, std::move(info), force ? Overwrite::kReplace : Overwrite::kRefuse);
  const auto result = train::Trainer(task, run, given.trainer).fit(progress, stop);
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
          {"notes", dataset::report_notes(set.samples)},
          {"steps", result.steps},
          {"best_step", result.best_step},
          {"metrics", std::move(metrics)}};
}

}  // namespace voxloom::recipes::wire
