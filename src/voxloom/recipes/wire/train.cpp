#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/recipes/train_run.h"
#include "voxloom/recipes/wire/commands.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/recipes/wire/task.h"
#include "voxloom/train/distributed/communicator.h"

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
  const auto ranks =
      train::join_from_environment({.join_timeout_s = given.trainer.join_timeout_s}, info);
  return train::together(ranks.get(), [&] {
    WireTask task(given,
                  of_roles(set.samples, {Role::kTrain, Role::kFinetune}),
                  of_roles(set.samples, {Role::kVal}),
                  object_classes(options.classes, set.samples),
                  set.fingerprint,
                  ranks.get());
    if (ranks != nullptr && ranks->rank() > 0) {
      return run_training(task, nullptr, given.trainer, ranks.get(), progress, stop);
    }
    train::Run run = open_run(options.run, options.resume, force, std::move(info));
    auto result = run_training(task, &run, given.trainer, ranks.get(), progress, stop);
    result["notes"] = dataset::report_notes(set.samples);
    return result;
  });
}

}  // namespace voxloom::recipes::wire
