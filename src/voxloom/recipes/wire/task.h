#pragma once

#include <memory>
#include <vector>

#include "voxloom/data/loader.h"
#include "voxloom/dataset/sample.h"
#include "voxloom/infer/wire_crops.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/nn/hybrid_loss.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/train/task.h"

namespace voxloom::recipes::wire {

/// Segmentation of thin devices as a training task: augmented crops, the annealed hybrid loss,
/// whole validation images, and the model package.
class WireTask final : public train::Task {
 public:
  /// Throws kInvalidArgument for options that don't fit, and what reading an --init package throws.
  WireTask(const infer::WireTrainOptions& options,
           std::vector<dataset::Sample> train_samples,
           std::vector<dataset::Sample> validation_samples,
           ObjectClasses classes,
           std::string data_fingerprint);

  [[nodiscard]] torch::nn::Module& network() override { return *network_; }
  [[nodiscard]] std::vector<train::ParameterGroup> parameter_groups() override;
  [[nodiscard]] int64_t steps_per_epoch() override { return loader_->batches_per_epoch(); }
  void begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) override;
  [[nodiscard]] train::Step step() override;
  /// dice, iou, cldice, tolerance_f1 (2 px) and recall, means over images at the threshold of the
  /// best mean Dice; `threshold` itself; bce over all pixels as `loss`.
  [[nodiscard]] train::Metrics validate(Progress& progress, const CancelToken& stop) override;
  [[nodiscard]] std::vector<train::Picture> pictures() override { return pictures_; }
  void write_model(const std::filesystem::path& folder, const train::Metrics& metrics) override;

 private:
  [[nodiscard]] std::vector<float> probability_of(const dataset::LabelledImage& labelled,
                                                  const ObjectMask& truth,
                                                  bool bright);

  infer::WireTrainOptions options_;
  nn::HybridOptions loss_;
  std::vector<dataset::Sample> train_samples_, validation_samples_;
  ObjectClasses classes_;
  std::string data_fingerprint_;
  bool bright_object_ = false;
  infer::CropRule crops_;  ///< With --crops boxes.
  std::shared_ptr<models::wire::WireNetwork> network_;
  std::unique_ptr<data::Loader> loader_;
  at::Tensor object_table_;  ///< [256] float32: 1 for classes that are the object.
  int64_t epoch_ = 0, epochs_ = 1, step_ = 0;
  std::vector<train::Picture> pictures_;
};

}  // namespace voxloom::recipes::wire
