#include "voxloom/recipes/segment/task.h"

#include <algorithm>
#include <chrono>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/recipes/segment/clip_loss.h"
#include "voxloom/recipes/segment/parameter_groups.h"
#include "voxloom/tensor/load.h"

namespace voxloom::recipes::segment {
namespace {

using dataset::Role;

constexpr int64_t kTries = 50;  // clips drawn before a data set of specks is given up

}  // namespace

CaseSplit split_cases(const std::vector<dataset::LabelledVolume>& volumes,
                      double val_share,
                      uint64_t seed) {
  CaseSplit split;
  bool roles = false;
  for (size_t i = 0; i < volumes.size(); ++i) {
    const Role role = volumes[i].role;
    VOXLOOM_CHECK(role != Role::kSealed,
                  ErrorCode::kInvalidArgument,
                  "case '{}': is sealed and must not train or validate",
                  volumes[i].id);
    roles = roles || role != Role::kNone;
    if (role == Role::kTrain || role == Role::kFinetune) split.training.push_back(i);
    if (role == Role::kVal) split.validation.push_back(i);
  }
  if (!roles) {
    std::vector<size_t> order;
    for (size_t i = 0; i < volumes.size(); ++i) order.push_back(i);
    Rng rng(seed, 0x5b11);
    rng.shuffle(order);
    const auto wanted = static_cast<size_t>(val_share * static_cast<double>(order.size()) + 0.5);
    const size_t count = std::clamp<size_t>(wanted, 1, std::max<size_t>(1, order.size() - 1));
    split.validation.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
    split.training.assign(order.begin() + static_cast<std::ptrdiff_t>(count), order.end());
    std::sort(split.validation.begin(), split.validation.end());
    std::sort(split.training.begin(), split.training.end());
  }
  VOXLOOM_CHECK(!split.training.empty() && !split.validation.empty(),
                ErrorCode::kInvalidArgument,
                "--data: must hold cases that train and cases that validate, got {} and {}",
                split.training.size(),
                split.validation.size());
  return split;
}

SegmentTask::SegmentTask(const infer::SegmentTrainOptions& options,
                         models::sam2::Sam2 network,
                         std::shared_ptr<CaseStore> cases,
                         CaseSplit split,
                         weights::PackageInfo base)
    : options_(options),
      network_(std::move(network)),
      cases_(std::move(cases)),
      split_(std::move(split)),
      base_(std::move(base)) {
  for (const size_t item : split_.training) {
    if (!cases_->index()[item].objects.empty()) drawable_.push_back(item);
  }
  validation_ = validation_objects(cases_->index(), split_.validation, options_.validate_objects);
  VOXLOOM_CHECK(!drawable_.empty() && !validation_.empty(),
                ErrorCode::kInvalidArgument,
                "--data: the label maps must hold objects to train and to validate, got {} cases "
                "and {} objects",
                drawable_.size(),
                validation_.size());
}

SegmentTask::~SegmentTask() {
  if (next_.valid()) next_.wait();
}

std::vector<train::ParameterGroup> SegmentTask::parameter_groups() {
  return segment::parameter_groups(network_, options_);
}

int64_t SegmentTask::steps_per_epoch() {
  return options_.clips_per_case * static_cast<int64_t>(drawable_.size());
}

void SegmentTask::begin_epoch(int64_t epoch, int64_t /*epochs*/, int64_t first_step) {
  if (next_.valid()) next_.wait();
  epoch_ = epoch;
  step_ = first_step;
  draw_ahead();
}

/// Every case once before any comes twice, in an order of the epoch's own.
SegmentTask::Example SegmentTask::draw(int64_t epoch, int64_t step) const {
  const auto seed = static_cast<uint64_t>(options_.trainer.seed);
  const auto cases = static_cast<int64_t>(drawable_.size());
  const uint64_t round = static_cast<uint64_t>(epoch) << 32 ^ static_cast<uint64_t>(step / cases);
  auto order = drawable_;
  Rng(seed ^ 0x0cde7, round).shuffle(order);
  const size_t item = order[static_cast<size_t>(step % cases)];

  Example example;
  example.rng =
      Rng(seed ^ 0xc119, static_cast<uint64_t>(epoch) << 32 ^ static_cast<uint64_t>(step));
  const auto& index = cases_->index()[item];
  const auto voxels = cases_->load(item);
  for (int64_t tries = 0;; ++tries) {
    VOXLOOM_CHECK(tries < kTries,
                  ErrorCode::kInvalidArgument,
                  "case '{}': its objects must be larger than a pixel of the network's input",
                  index.id);
    const auto choice = choose_clip(index, options_.clip, example.rng);
    if (!make_clip(*voxels,
                   choice,
                   options_.clip,
                   network_->options.image_size,
                   example.rng,
                   example.clip)) {
      continue;
    }
    example.clip.name =
        format("{} slices {} to {}", index.id, choice.slices.front(), choice.slices.back());
    break;
  }
  example.plan = draw_prompt_plan(options_.prompts, example.clip.images.size(0), example.rng);
  return example;
}

void SegmentTask::draw_ahead() {
  if (step_ >= steps_per_epoch()) return;
  next_ = std::async(std::launch::async, [this, epoch = epoch_, step = step_] {
    const torch::NoGradGuard no_grad;
    return draw(epoch, step);
  });
}

train::Step SegmentTask::step() {
  VOXLOOM_CHECK(next_.valid(), ErrorCode::kInternal, "segment task: the epoch has no more batches");
  const auto start = std::chrono::steady_clock::now();
  Example example = next_.get();
  const double waited =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ++step_;
  draw_ahead();
  const ClipLoss loss = clip_loss(network_,
                                  example.clip,
                                  example.plan,
                                  options_.prompts,
                                  options_.freeze_image_encoder,
                                  example.rng);
  train::Step out{.loss = loss.total,
                  .items = example.clip.images.size(0),
                  .batch = example.clip.name,
                  .loader_wait_s = waited};
  out.terms["answers"] = static_cast<double>(loss.answers);
  if (loss.answers > 0) {
    out.terms["focal"] = loss.parts.focal.item<double>();
    out.terms["mask_dice"] = loss.parts.dice.item<double>();
    out.terms["iou"] = loss.parts.iou.item<double>();
    out.terms["object"] = loss.parts.object.item<double>();
  }
  return out;
}

train::Metrics SegmentTask::validate(Progress& progress, const CancelToken& stop) {
  if (next_.valid()) next_.wait();  // one reader of a volume at a time
  return validate_objects(network_, *cases_, validation_, pictures_, progress, stop);
}

void SegmentTask::write_model(const std::filesystem::path& folder, const train::Metrics& metrics) {
  const auto number = [&](const char* name) {
    const auto found = metrics.find(name);
    return found == metrics.end() ? 0.0 : found->second;
  };
  weights::PackageInfo info = base_;
  if (!options_.licence.empty()) info.licence = options_.licence;
  info.source_file.clear();
  info.source_sha256.clear();
  info.bf16.reset();  // measured with other weights
  info.created_by = format("voxloom {}", VOXLOOM_VERSION);
  const std::string card = format(
      "# {}\n\n{}, trained further on own labels with `voxloom segment train`.\n\n"
      "- From package `{}`, weights {}.\n"
      "- {} cases trained it, {} objects of {} others validated it; seed {}; data fingerprint "
      "{}.\n"
      "- Validation, one tight box an object on its largest slice: Dice {:.4f}, on that slice "
      "{:.4f}.\n"
      "- Licence: {}\n"
      "- Every option is in the run's run.yaml. For research; not a medical device. Check every "
      "result.\n",
      folder.parent_path().filename().string(),
      info.variant,
      options_.model,
      base_.weights_sha256.substr(0, 16),
      split_.training.size(),
      validation_.size(),
      split_.validation.size(),
      options_.trainer.seed,
      cases_->fingerprint().substr(0, 16),
      number("dice"),
      number("key_dice"),
      info.licence);
  weights::write_package(
      folder, std::move(info), tensor::state_dict(*network_), card, Overwrite::kReplace);
}

}  // namespace voxloom::recipes::segment
