#pragma once

#include <memory>
#include <vector>

#include "voxloom/data/loader.h"
#include "voxloom/dataset/sample.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/models/wire/detector_loss.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/train/task.h"

namespace voxloom::recipes::wire {

/// Finding devices as boxes, a training task: boxes are made of the masks after augmentation
/// (infer::boxes_of_mask), so that every annotated set can teach it. With one class of the network
/// all object classes are one kind of object; else each has its own, in the order of --class.
class DetectorTask final : public train::Task {
 public:
  /// Throws kInvalidArgument for options that don't fit, and what reading an --init package throws.
  DetectorTask(const infer::WireTrainOptions& options,
               std::vector<dataset::Sample> train_samples,
               std::vector<dataset::Sample> validation_samples,
               ObjectClasses classes,
               std::string data_fingerprint);

  [[nodiscard]] torch::nn::Module& network() override { return *network_; }
  [[nodiscard]] std::vector<train::ParameterGroup> parameter_groups() override;
  [[nodiscard]] int64_t steps_per_epoch() override { return loader_->batches_per_epoch(); }
  void begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) override;
  [[nodiscard]] train::Step step() override;
  /// ap50 (mean average precision at IoU 0.5); precision, recall and f1 at the confidence with the
  /// best F1, which is `threshold`; best_recall with every box; the training loss as `loss`.
  [[nodiscard]] train::Metrics validate(Progress& progress, const CancelToken& stop) override;
  [[nodiscard]] std::vector<train::Picture> pictures() override { return pictures_; }
  void write_model(const std::filesystem::path& folder, const train::Metrics& metrics) override;

 private:
  struct Objects {
    std::vector<infer::WireBox> boxes;
    std::vector<uint8_t> ignore;  ///< [H, W]
  };
  [[nodiscard]] Objects objects_of(std::span<const uint8_t> classes,
                                   int64_t width,
                                   int64_t height) const;
  [[nodiscard]] at::Tensor clip_of(size_t item, const dataset::LabelledImage& now) const;

  infer::WireTrainOptions options_;
  models::wire::DetectionLossOptions loss_;
  std::vector<dataset::Sample> train_samples_, validation_samples_;
  std::vector<size_t> validated_;              ///< Which of the latter are measured.
  std::vector<std::vector<int64_t>> earlier_;  ///< Of all validation samples.
  ObjectClasses classes_;
  std::vector<std::array<bool, 256>> labels_;  ///< Class values of each kind of object.
  std::string data_fingerprint_;
  bool bright_object_ = false;
  std::shared_ptr<models::wire::Detector> network_;
  std::unique_ptr<data::Loader> loader_;
  std::vector<train::Picture> pictures_;
};

}  // namespace voxloom::recipes::wire
