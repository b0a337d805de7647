#pragma once

#include <memory>
#include <vector>

#include "voxloom/data/loader.h"
#include "voxloom/dataset/sample.h"
#include "voxloom/infer/wire_crops.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/nn/hybrid_loss.h"
#include "voxloom/nn/synchronised_norm.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/train/distributed/communicator.h"
#include "voxloom/train/task.h"

namespace voxloom::recipes::wire {

/// Segmentation of thin devices as a training task: augmented crops, the annealed hybrid loss,
/// whole validation images, and the model package.
class WireTask final : public train::Task {
 public:
  /// With `ranks` (null: one process) this rank trains on its share of each batch, and losses are
  /// those of the whole batch. Throws kInvalidArgument for options that don't fit, and what reading
  /// an --init package throws.
  WireTask(const infer::WireTrainOptions& options,
           std::vector<dataset::Sample> train_samples,
           std::vector<dataset::Sample> validation_samples,
           ObjectClasses classes,
           std::string data_fingerprint,
           train::Communicator* ranks = nullptr);

  [[nodiscard]] torch::nn::Module& network() override { return *network_; }
  [[nodiscard]] std::vector<train::ParameterGroup> parameter_groups() override;
  [[nodiscard]] int64_t steps_per_epoch() override { return loader_->batches_per_epoch(); }
  void begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) override;
  [[nodiscard]] train::Step step() override;
  /// `threshold`: where the Dice of all pixels together, `dice_pooled`, is highest. There dice,
  /// iou, recall, cldice and tolerance_f1_2px, means over the images that show an object, and
  /// `false_alarms`, the share of the others where something is found. `loss`: cross-entropy.
  [[nodiscard]] train::Metrics validate(Progress& progress, const CancelToken& stop) override;
  [[nodiscard]] std::vector<train::Picture> pictures() override { return pictures_; }
  void write_model(const std::filesystem::path& folder, const train::Metrics& metrics) override;

 private:
  void find_earlier(const std::vector<dataset::Sample>& all);
  [[nodiscard]] std::vector<float> probability_of(const dataset::Sample& sample,
                                                  const dataset::LabelledImage& labelled,
                                                  const ObjectMask& truth,
                                                  const std::vector<dataset::Sample>& earlier);

  infer::WireTrainOptions options_;
  nn::SumOverRanks sum_over_ranks_;  ///< Empty: one process.
  nn::HybridOptions loss_;
  std::vector<dataset::Sample> train_samples_, validation_samples_;
  std::vector<std::vector<dataset::Sample>> validation_earlier_;  ///< Of each, nearest first.
  ObjectClasses classes_;
  std::string data_fingerprint_;
  bool bright_object_ = false;
  infer::CropRule crops_;  ///< With --crops boxes.
  std::shared_ptr<models::wire::WireNetwork> network_;
  std::unique_ptr<data::Loader> loader_;
  at::Tensor object_table_;   ///< [256] float32: 1 for classes that are the object.
  at::Tensor counted_table_;  ///< [256] float32: 0 for classes that are ignored.
  int64_t epoch_ = 0, epochs_ = 1, step_ = 0;
  std::vector<train::Picture> pictures_;
};

}  // namespace voxloom::recipes::wire
