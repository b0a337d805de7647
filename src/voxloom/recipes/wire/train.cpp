#include <optional>

#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/recipes/train_run.h"
#include "voxloom/recipes/wire/commands.h"
#include "voxloom/recipes/wire/detector_task.h"
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

std::unique_ptr<train::Task> make_task(const infer::WireTrainOptions& options,
                                       const SampleSet& set,
                                       train::Communicator* ranks) {
  auto train = of_roles(set.samples, {Role::kTrain, Role::kFinetune});
  auto validation = of_roles(set.samples, {Role::kVal});
  auto classes = object_classes(options.classes, set.samples);
  if (options.architecture == models::wire::kDetectorName) {
    VOXLOOM_CHECK(ranks == nullptr,
                  ErrorCode::kUnsupported,
                  "--network {}: trains in one process, got {}",
                  models::wire::kDetectorName,
                  ranks->size());
    return std::make_unique<DetectorTask>(
        options, std::move(train), std::move(validation), std::move(classes), set.fingerprint);
  }
  return std::make_unique<WireTask>(
      options, std::move(train), std::move(validation), std::move(classes), set.fingerprint, ranks);
}

/// The training of this process: of rank 0, which has the run folder, of another rank, or of the
/// only process (`ranks` null).
ordered_json train_rank(const infer::WireTrainOptions& options,
                        train::RunInfo info,
                        const SampleSet& set,
                        train::Communicator* ranks,
                        bool force,
                        Progress& progress,
                        const CancelToken& stop) {
  const int64_t rank = ranks != nullptr ? ranks->rank() : 0;
  const auto task = make_task(options, set, ranks);
  std::optional<train::Run> run;
  if (rank == 0) run = open_run(options.run, options.resume, force, std::move(info));
  Progress silent;
  return run_training(
      *task, run ? &*run : nullptr, options.trainer, rank == 0 ? progress : silent, stop, ranks);
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
  auto result = train::together(ranks.get(), [&] {
    return train_rank(given, std::move(info), set, ranks.get(), force, progress, stop);
  });
  result["notes"] = dataset::report_notes(set.samples);
  return result;
}

}  // namespace voxloom::recipes::wire
