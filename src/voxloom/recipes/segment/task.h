#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/infer/segment_train_options.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/recipes/segment/cases.h"
#include "voxloom/recipes/segment/clip.h"
#include "voxloom/recipes/segment/prompts.h"
#include "voxloom/recipes/segment/validation.h"
#include "voxloom/train/task.h"
#include "voxloom/weights/package.h"

namespace voxloom::recipes::segment {

/// The cases that train and those that validate.
struct CaseSplit {
  std::vector<size_t> training, validation;
};

/// By their roles (train and finetune; val) where any case has one, else `val_share` of the cases
/// (at least one, and not all) drawn by `seed`. Throws kInvalidArgument when one side is empty or
/// a case is sealed.
[[nodiscard]] CaseSplit split_cases(const std::vector<dataset::LabelledVolume>& volumes,
                                    double val_share,
                                    uint64_t seed);

/// Fine-tuning of a SAM 2 family network as a training task: one clip a batch.
class SegmentTask final : public train::Task {
 public:
  /// `base`: what the new package takes over (variant, preprocessing, labels, licence).
  SegmentTask(const infer::SegmentTrainOptions& options,
              models::sam2::Sam2 network,
              std::shared_ptr<CaseStore> cases,
              CaseSplit split,
              weights::PackageInfo base);
  ~SegmentTask() override;

  [[nodiscard]] torch::nn::Module& network() override { return *network_; }
  [[nodiscard]] std::vector<train::ParameterGroup> parameter_groups() override;
  [[nodiscard]] int64_t steps_per_epoch() override;
  void begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) override;
  [[nodiscard]] train::Step step() override;
  [[nodiscard]] train::Metrics validate(Progress& progress, const CancelToken& stop) override;
  [[nodiscard]] std::vector<train::Picture> pictures() override { return pictures_; }
  void write_model(const std::filesystem::path& folder, const train::Metrics& metrics) override;

 private:
  /// An example with what its prompts are drawn from.
  struct Example {
    Clip clip;
    PromptPlan plan;
    Rng rng{0};
  };
  [[nodiscard]] Example draw(int64_t epoch, int64_t step) const;
  void draw_ahead();

  infer::SegmentTrainOptions options_;
  models::sam2::Sam2 network_;
  std::shared_ptr<CaseStore> cases_;
  CaseSplit split_;
  std::vector<size_t> drawable_;  ///< Training cases that hold an object.
  std::vector<ValidationObject> validation_;
  weights::PackageInfo base_;
  int64_t epoch_ = 0, step_ = 0;  ///< Of the next example.
  std::future<Example> next_;     ///< Drawn while the one before is computed.
  std::vector<train::Picture> pictures_;
};

}  // namespace voxloom::recipes::segment
