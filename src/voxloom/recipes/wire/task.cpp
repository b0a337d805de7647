#include "voxloom/recipes/wire/task.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/image/canvas.h"
#include "voxloom/infer_ml/cascade.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/metrics/bootstrap.h"
#include "voxloom/metrics/wire_metrics.h"
#include "voxloom/models/wire/wire_input.h"
#include "voxloom/recipes/wire/picture.h"
#include "voxloom/recipes/wire/task_parts.h"
#include "voxloom/tensor/load.h"
#include "voxloom/weights/package.h"

namespace voxloom::recipes::wire {
namespace {

using dataset::Sample;
using dataset::WireClass;
using nlohmann::ordered_json;

nn::HybridOptions loss_options(const infer::WireTrainOptions& options) {
  nn::HybridOptions loss;
  switch (options.loss) {
    case infer::WireLoss::kHybrid:
      loss.topology = nn::TopologyTerm::kClDice;
      break;
    case infer::WireLoss::kHybridCbDice:
      loss.topology = nn::TopologyTerm::kClDiceCbDice;
      break;
    case infer::WireLoss::kSkeletonRecall:
      loss.topology = nn::TopologyTerm::kSkeletonRecall;
      break;
    case infer::WireLoss::kDiceBce:
      loss.topology = nn::TopologyTerm::kNone;
      break;
  }
  OptionList list;
  loss.visit(list);
  list.read_json(ordered_json::parse(options.loss_options), "--loss-options");
  loss.validate();
  return loss;
}

/// Dice of one image at each threshold.
struct ThresholdScan {
  std::vector<double> thresholds;
  std::vector<std::vector<double>> dice;  ///< [threshold][image]

  ThresholdScan() {
    for (int k = 4; k <= 16; ++k) thresholds.push_back(0.05 * k);
    dice.resize(thresholds.size());
  }

  void add(const std::vector<float>& probability, const ObjectMask& truth) {
    for (size_t t = 0; t < thresholds.size(); ++t) {
      const auto limit = static_cast<float>(thresholds[t]);
      int64_t both = 0, predicted = 0, real = 0;
      for (size_t i = 0; i < probability.size(); ++i) {
        if (truth.ignore[i] != 0) continue;
        const bool p = probability[i] > limit, y = truth.object[i] != 0;
        both += p && y;
        predicted += p;
        real += y;
      }
      dice[t].push_back(predicted + real == 0 ? 1.0
                                              : 2.0 * static_cast<double>(both) /
                                                    static_cast<double>(predicted + real));
    }
  }

  [[nodiscard]] double best() const {
    size_t best = 0;
    double highest = -1.0;
    for (size_t t = 0; t < thresholds.size(); ++t) {
      const double mean = metrics::mean(dice[t]);
      if (mean > highest) {
        highest = mean;
        best = t;
      }
    }
    return thresholds[best];
  }
};

double cross_entropy(const std::vector<float>& probability, const ObjectMask& truth) {
  double sum = 0.0, count = 0.0;
  for (size_t i = 0; i < probability.size(); ++i) {
    if (truth.ignore[i] != 0) continue;
    const double p = std::clamp(static_cast<double>(probability[i]), 1e-7, 1.0 - 1e-7);
    sum -= truth.object[i] != 0 ? std::log(p) : std::log(1.0 - p);
    count += 1.0;
  }
  return count > 0.0 ? sum / count : 0.0;
}

}  // namespace

WireTask::WireTask(const infer::WireTrainOptions& options,
                   std::vector<Sample> train_samples,
                   std::vector<Sample> validation_samples,
                   ObjectClasses classes,
                   std::string data_fingerprint)
    : options_(options),
      loss_(loss_options(options)),
      train_samples_(std::move(train_samples)),
      validation_samples_(spread(validation_samples, options.validate_images)),
      classes_(std::move(classes)),
      data_fingerprint_(std::move(data_fingerprint)) {
  check_has_samples(train_samples_, validation_samples_);
  bright_object_ = bright_objects(train_samples_);
  network_ = models::wire::make_wire_network(options.architecture,
                                             ordered_json::parse(options.network),
                                             static_cast<uint64_t>(options.trainer.seed));
  VOXLOOM_CHECK(network_->in_channels() == 1,
                ErrorCode::kUnsupported,
                "--network '{}': looks at {} frames at a time, this recipe trains on single ones",
                options.architecture,
                network_->in_channels());
  if (!options.init.empty()) load_start_weights(*network_, options.init, options.architecture);
  auto loading = loader_options(options, network_->size_multiple());
  if (options.crops == infer::CropKind::kBoxes) {
    VOXLOOM_CHECK(options.crop > 0,
                  ErrorCode::kInvalidArgument,
                  "--crops boxes: needs the side of the crops, --crop 224");
    crops_.side = options.crop;
    loading.boxes = {.on = true, .is_object = classes_.is_object, .rule = crops_};
  }
  loader_ = std::make_unique<data::Loader>(train_samples_, loading);
  object_table_ = at::zeros({256}, at::kFloat);
  for (int64_t c = 0; c < 256; ++c) {
    if (classes_(static_cast<uint8_t>(c))) object_table_[c] = 1.0F;
  }
}

std::vector<train::ParameterGroup> WireTask::parameter_groups() {
  return matrices_and_others(*network_);
}

void WireTask::begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) {
  epoch_ = epoch;
  epochs_ = epochs;
  step_ = first_step;
  loader_->begin_epoch(epoch, first_step);
}

train::Step WireTask::step() {
  auto batch = loader_->next();
  VOXLOOM_CHECK(
      batch.has_value(), ErrorCode::kInternal, "wire task: the epoch has no more batches");
  const auto classes = batch->target.to(at::kLong);
  const auto target =
      object_table_.index_select(0, classes.flatten()).view_as(classes).unsqueeze(1);
  const auto weight =
      classes.ne(static_cast<int64_t>(WireClass::kIgnore)).to(at::kFloat).unsqueeze(1);
  const auto logits = network_->forward_train(models::wire::normalise(batch->image));
  const double progress = (static_cast<double>(epoch_) +
                           static_cast<double>(step_) / static_cast<double>(steps_per_epoch())) /
                          static_cast<double>(epochs_);
  const auto loss = nn::hybrid_loss(logits, target, weight, loss_, progress);
  train::Step step{
      .loss = loss.total, .items = batch->image.size(0), .loader_wait_s = batch->wait_s};
  for (const auto& term : loss.terms) step.terms[term.name] = term.value.item<double>();
  for (const auto item : batch->items) {
    step.batch += (step.batch.empty() ? "" : ", ") + train_samples_[static_cast<size_t>(item)].id;
  }
  ++step_;
  return step;
}

/// Of the whole image, or inside crops round the true boxes: what a perfect detector would give.
std::vector<float> WireTask::probability_of(const dataset::LabelledImage& labelled,
                                            const ObjectMask& truth,
                                            bool bright) {
  const auto logits_of = [this](const at::Tensor& x) { return network_->forward(x); };
  auto pixels = labelled.image;
  if (bright) {
    for (float& v : pixels) v = 1.0F - v;
  }
  std::vector<float> probability;
  if (options_.crops == infer::CropKind::kBoxes) {
    const auto boxes = infer::boxes_of_mask(truth.object, labelled.width, labelled.height);
    infer_ml::crop_probability(logits_of,
                               network_->size_multiple(),
                               pixels,
                               labelled.width,
                               labelled.height,
                               boxes,
                               crops_,
                               infer::TestAugmentation::kNone,
                               probability);
    return probability;
  }
  const auto map =
      infer_ml::wire_probability(
          logits_of,
          at::from_blob(pixels.data(), {1, 1, labelled.height, labelled.width}, at::kFloat),
          network_->size_multiple(),
          infer::TestAugmentation::kNone)
          .contiguous();
  probability.assign(map.const_data_ptr<float>(), map.const_data_ptr<float>() + map.numel());
  return probability;
}

train::Metrics WireTask::validate(Progress& progress, const CancelToken& stop) {
  ThresholdScan scan;
  std::vector<std::vector<float>> probabilities;
  std::vector<ObjectMask> truths;
  std::vector<double> losses;
  std::vector<dataset::LabelledImage> shown;
  constexpr size_t kPictures = 4;
  progress.begin("validate", static_cast<int64_t>(validation_samples_.size()));
  for (const auto& sample : validation_samples_) {
    stop.check();
    auto labelled = dataset::load_sample(sample);
    truths.push_back(object_mask(labelled.mask, classes_));
    probabilities.push_back(probability_of(labelled, truths.back(), sample.bright_object));
    scan.add(probabilities.back(), truths.back());
    losses.push_back(cross_entropy(probabilities.back(), truths.back()));
    if (shown.size() < kPictures) {
      shown.push_back(std::move(labelled));
    } else {
      // Only the size is needed again.
      shown.push_back(
          {.width = labelled.width, .height = labelled.height, .image = {}, .mask = {}});
    }
    progress.advance(1);
  }
  progress.end();

  const double threshold = scan.best();
  std::vector<double> dice, iou, cldice, tolerance, recall;
  pictures_.clear();
  for (size_t i = 0; i < truths.size(); ++i) {
    std::vector<uint8_t> predicted(probabilities[i].size());
    for (size_t k = 0; k < predicted.size(); ++k) {
      predicted[k] = probabilities[i][k] > static_cast<float>(threshold);
    }
    const auto measured = metrics::measure_wire({.width = shown[i].width,
                                                 .height = shown[i].height,
                                                 .truth = truths[i].object,
                                                 .predicted = predicted,
                                                 .ignore = truths[i].ignore},
                                                {.radii_px = {2.0}, .radii_mm = {}});
    dice.push_back(measured.pixels.dice());
    iou.push_back(measured.pixels.iou());
    recall.push_back(measured.pixels.recall());
    cldice.push_back(measured.cldice.value);
    tolerance.push_back(measured.tolerance.front().line.f1);
    if (i < kPictures) {
      const auto canvas = compare_masks(shown[i], truths[i], predicted);
      pictures_.push_back({.name = validation_samples_[i].id,
                           .width = canvas.width(),
                           .height = canvas.height(),
                           .rgb = canvas.pixels()});
    }
  }
  return {{"loss", metrics::mean(losses)},
          {"dice", metrics::mean(dice)},
          {"iou", metrics::mean(iou)},
          {"recall", metrics::mean(recall)},
          {"cldice", metrics::mean(cldice)},
          {"tolerance_f1_2px", metrics::mean(tolerance)},
          {"threshold", threshold}};
}

void WireTask::write_model(const std::filesystem::path& folder, const train::Metrics& metrics) {
  const auto number = [&](const char* name) {
    const auto found = metrics.find(name);
    return found == metrics.end() ? 0.0 : found->second;
  };
  weights::PackageInfo info{
      .task = "wire",
      .architecture = options_.architecture,
      .variant = options_.architecture,
      .options = ordered_json::parse(options_.network),
      .preprocessing = infer_ml::wire_preprocessing_to_json(
          {.classes = classes_.names,
           .threshold = metrics.contains("threshold") ? number("threshold") : 0.5,
           .bright_object = bright_object_,
           .crop_side = options_.crops == infer::CropKind::kBoxes ? crops_.side : 0}),
      .labels = {{.value = 1, .name = classes_.names.front()}},
      .licence = options_.licence.empty() ? "unknown" : options_.licence,
      .created_by = format("voxloom {}", VOXLOOM_VERSION)};
  std::string card = format("# {}\n\nA {} network that segments {} in {} images.\n\n",
                            folder.parent_path().filename().string(),
                            options_.architecture,
                            classes_.names.front(),
                            bright_object_ ? "grey" : "X-ray");
  if (options_.crops == infer::CropKind::kBoxes) {
    card += format(
        "For crops of {} px round boxes, in a cascade; validated on crops round the true "
        "boxes.\n\n",
        crops_.side);
  }
  card += format(
      "- Trained with `voxloom wire train`: {} images, validated on {} others, seed {}; data "
      "fingerprint {}.\n- Validation: Dice {:.4f}, IoU {:.4f}, clDice (Guo-Hall) {:.4f}, F1 within "
      "2 "
      "px {:.4f} at threshold {:.2f}, chosen on the same images.\n- Every option is in the run's "
      "run.yaml. For research; not a medical device.\n",
      train_samples_.size(),
      validation_samples_.size(),
      options_.trainer.seed,
      data_fingerprint_.substr(0, 16),
      number("dice"),
      number("iou"),
      number("cldice"),
      number("tolerance_f1_2px"),
      number("threshold"));
  weights::write_package(
      folder, std::move(info), tensor::state_dict(*network_), card, Overwrite::kReplace);
}

}  // namespace voxloom::recipes::wire
