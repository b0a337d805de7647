#include "voxloom/recipes/wire/detector_task.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/data/batch_maker.h"
#include "voxloom/infer_ml/detection.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/metrics/bootstrap.h"
#include "voxloom/metrics/detection.h"
#include "voxloom/models/wire/wire_input.h"
#include "voxloom/recipes/wire/picture.h"
#include "voxloom/recipes/wire/task_parts.h"
#include "voxloom/tensor/load.h"
#include "voxloom/weights/package.h"

namespace voxloom::recipes::wire {
namespace {

using dataset::Sample;
using dataset::WireClass;
using infer::WireBox;
using models::wire::DetectionTarget;
using models::wire::Detector;
using nlohmann::ordered_json;

// Low, so that the precision-recall curve has its end.
constexpr double kValidationConfidence = 0.01;

models::wire::DetectionLossOptions loss_options(const infer::WireTrainOptions& options) {
  VOXLOOM_CHECK(
      options.loss == infer::WireLoss::kHybrid && options.crops == infer::CropKind::kRandom,
      ErrorCode::kInvalidArgument,
      "--network detector: has its own loss and its own crops, --loss and --crops are "
      "for networks that segment");
  models::wire::DetectionLossOptions loss;
  OptionList list;
  loss.visit(list);
  list.read_json(ordered_json::parse(options.loss_options), "--loss-options");
  return loss;
}

DetectionTarget target_of(const WireBox& box, int64_t image) {
  return {.image = image,
          .label = box.label,
          .cx = 0.5 * (box.x0 + box.x1),
          .cy = 0.5 * (box.y0 + box.y1),
          .width = box.width(),
          .height = box.height()};
}

at::Tensor grey(const std::vector<float>& pixels, int64_t width, int64_t height, bool bright) {
  const auto image =
      at::from_blob(const_cast<float*>(pixels.data()), {1, 1, height, width}, at::kFloat);
  return bright ? 1.0 - image : image.clone();
}

}  // namespace

DetectorTask::DetectorTask(const infer::WireTrainOptions& options,
                           std::vector<Sample> train_samples,
                           std::vector<Sample> validation_samples,
                           ObjectClasses classes,
                           std::string data_fingerprint)
    : options_(options),
      loss_(loss_options(options)),
      train_samples_(std::move(train_samples)),
      validation_samples_(std::move(validation_samples)),
      classes_(std::move(classes)),
      data_fingerprint_(std::move(data_fingerprint)) {
  check_has_samples(train_samples_, validation_samples_);
  bright_object_ = bright_objects(train_samples_);
  network_ = models::wire::make_detector(ordered_json::parse(options.network),
                                         static_cast<uint64_t>(options.trainer.seed));
  const auto& facts = network_->options();
  if (facts.classes == 1) {
    labels_ = {classes_.is_object};
  } else {
    VOXLOOM_CHECK(facts.classes == static_cast<int64_t>(classes_.names.size()),
                  ErrorCode::kInvalidArgument,
                  "--network-options: a detector must have one class or as many as --class names, "
                  "got {} and {}",
                  facts.classes,
                  classes_.names.size());
    for (const auto& name : classes_.names) {
      labels_.emplace_back();
      labels_.back()[static_cast<uint8_t>(dataset::wire_class_from_name(name))] = true;
    }
  }
  if (!options.init.empty()) load_start_weights(*network_, options.init, options.architecture);

  auto loading = loader_options(options, Detector::size_multiple());
  loading.frames = facts.frames + (facts.previous ? 1 : 0);
  loader_ = std::make_unique<data::Loader>(train_samples_, loading);
  earlier_ = data::earlier_frames(validation_samples_, facts.frames);
  const auto count = static_cast<int64_t>(validation_samples_.size());
  const int64_t measured =
      options.validate_images > 0 ? std::min(options.validate_images, count) : count;
  for (int64_t i = 0; i < measured; ++i) {
    validated_.push_back(static_cast<size_t>(i * count / measured));
  }
}

/// Biases and the factors of norms are not pulled towards 0.
std::vector<train::ParameterGroup> DetectorTask::parameter_groups() {
  return matrices_and_others(*network_);
}

void DetectorTask::begin_epoch(int64_t epoch, int64_t /*epochs*/, int64_t first_step) {
  loader_->begin_epoch(epoch, first_step);
}

DetectorTask::Objects DetectorTask::objects_of(std::span<const uint8_t> classes,
                                               int64_t width,
                                               int64_t height) const {
  Objects out;
  out.ignore.resize(classes.size());
  std::vector<uint8_t> object(classes.size());
  for (size_t i = 0; i < classes.size(); ++i) {
    out.ignore[i] = classes[i] == static_cast<uint8_t>(WireClass::kIgnore);
  }
  for (size_t label = 0; label < labels_.size(); ++label) {
    for (size_t i = 0; i < classes.size(); ++i) object[i] = labels_[label][classes[i]] ? 1 : 0;
    for (WireBox& box : infer::boxes_of_mask(object, width, height)) {
      box.label = static_cast<int64_t>(label);
      out.boxes.push_back(box);
    }
  }
  return out;
}

train::Step DetectorTask::step() {
  auto batch = loader_->next();
  VOXLOOM_CHECK(
      batch.has_value(), ErrorCode::kInternal, "detector task: the epoch has no more batches");
  const int64_t images = batch->target.size(0), height = batch->target.size(1),
                width = batch->target.size(2);
  std::vector<DetectionTarget> targets;
  at::Tensor ignore = at::empty({images, height, width}, at::kByte);
  for (int64_t b = 0; b < images; ++b) {
    const auto pixels = static_cast<size_t>(height * width);
    const auto objects = objects_of(
        {batch->target.const_data_ptr<uint8_t>() + b * height * width, pixels}, width, height);
    for (const WireBox& box : objects.boxes) targets.push_back(target_of(box, b));
    std::copy(objects.ignore.begin(),
              objects.ignore.end(),
              ignore.mutable_data_ptr<uint8_t>() + b * height * width);
  }
  const int64_t frames = network_->options().frames;
  const auto now = batch->image.slice(1, 0, frames);
  const auto features = network_->features(models::wire::normalise(now));
  auto before = features;
  if (network_->options().previous) {
    const auto earlier = batch->image.slice(1, 1, frames + 1);
    // Still pictures: the frame before is the frame itself, as at the start of a stream. Else its
    // features are given, as in a stream: no gradient flows back through time.
    if (!torch::equal(now, earlier)) {
      const torch::NoGradGuard no_grad;
      before = network_->features(models::wire::normalise(earlier));
    }
  }
  const auto loss = models::wire::detection_loss(
      network_->detect(features, before), targets, ignore.to(at::kBool), loss_);
  train::Step step{.loss = loss.total, .items = images, .loader_wait_s = batch->wait_s};
  step.terms = {{"box", loss.box.item<double>()},
                {"objectness", loss.objectness.item<double>()},
                {"classification", loss.classification.item<double>()}};
  for (const auto item : batch->items) {
    step.batch += (step.batch.empty() ? "" : ", ") + train_samples_[static_cast<size_t>(item)].id;
  }
  return step;
}

/// The frame and those before it as channels: [1, frames + 1, H, W], objects dark.
at::Tensor DetectorTask::clip_of(size_t item, const dataset::LabelledImage& now) const {
  std::vector<at::Tensor> channels{
      grey(now.image, now.width, now.height, validation_samples_[item].bright_object)};
  int64_t last = static_cast<int64_t>(item);
  for (const int64_t index : earlier_[item]) {
    if (index == last) {
      channels.push_back(channels.back());
      continue;
    }
    last = index;
    auto sample = validation_samples_[static_cast<size_t>(index)];
    sample.mask.clear();
    const auto image = dataset::load_sample(sample);
    const bool same = image.width == now.width && image.height == now.height;
    channels.push_back(same ? grey(image.image, image.width, image.height, sample.bright_object)
                            : channels.back());
  }
  return at::cat(channels, 1);
}

train::Metrics DetectorTask::validate(Progress& progress, const CancelToken& stop) {
  constexpr size_t kPictures = 4;
  const int64_t frames = network_->options().frames;
  const infer::BoxTrackRule rule{.min_confidence = kValidationConfidence};
  std::vector<metrics::FoundBox> found;
  std::vector<metrics::TrueBox> truth;
  std::vector<double> losses;
  struct Shown {
    dataset::LabelledImage image;
    std::vector<WireBox> truth, found;
    std::string name;
  };
  std::vector<Shown> shown;
  progress.begin("validate", static_cast<int64_t>(validated_.size()));
  for (size_t n = 0; n < validated_.size(); ++n) {
    stop.check();
    auto labelled = dataset::load_sample(validation_samples_[validated_[n]]);
    const auto clip = clip_of(validated_[n], labelled);
    const auto input = [&](int64_t first) {
      return models::wire::pad_to_multiple(
          models::wire::normalise(clip.slice(1, first, first + frames)), Detector::size_multiple());
    };
    const auto features = network_->features(input(0));
    const auto raw = network_->detect(
        features, network_->options().previous ? network_->features(input(1)) : features);
    const auto boxes =
        infer_ml::boxes_of_maps({raw.begin(), raw.end()}, network_->options().classes, rule);
    const auto objects = objects_of(labelled.mask, labelled.width, labelled.height);
    std::vector<DetectionTarget> targets;
    const auto image = static_cast<int64_t>(n);
    for (const WireBox& box : objects.boxes) {
      targets.push_back(target_of(box, 0));
      truth.push_back(
          {.image = image, .label = box.label, .box = {box.x0, box.y0, box.x1, box.y1}});
    }
    for (const WireBox& box : boxes) {
      const auto inside = infer::clip_box(box, labelled.width, labelled.height);
      found.push_back({.image = image,
                       .label = box.label,
                       .box = {inside.x0, inside.y0, inside.x1, inside.y1},
                       .confidence = box.confidence});
    }
    losses.push_back(models::wire::detection_loss(raw, targets, {}, loss_).total.item<double>());
    if (shown.size() < kPictures) {
      shown.push_back(
          {std::move(labelled), objects.boxes, boxes, validation_samples_[validated_[n]].id});
    }
    progress.advance(1);
  }
  progress.end();
  const auto scores = metrics::detection_scores(found, truth);
  pictures_.clear();
  for (auto& item : shown) {
    std::erase_if(item.found,
                  [&](const WireBox& box) { return box.confidence < scores.threshold; });
    const auto canvas = show_boxes(item.image, item.truth, item.found);
    pictures_.push_back({.name = item.name,
                         .width = canvas.width(),
                         .height = canvas.height(),
                         .rgb = canvas.pixels()});
  }
  return {{"loss", metrics::mean(losses)},
          {"ap50", scores.average_precision},
          {"precision", scores.precision},
          {"recall", scores.recall},
          {"f1", scores.f1},
          {"best_recall", scores.best_recall},
          {"threshold", scores.threshold}};
}

void DetectorTask::write_model(const std::filesystem::path& folder, const train::Metrics& metrics) {
  const auto number = [&](const char* name) {
    const auto at = metrics.find(name);
    return at == metrics.end() ? 0.0 : at->second;
  };
  weights::PackageInfo info{.task = "wire",
                            .architecture = options_.architecture,
                            .variant = options_.architecture,
                            .options = ordered_json::parse(options_.network),
                            .preprocessing = infer_ml::wire_preprocessing_to_json(
                                {.classes = classes_.names,
                                 .threshold = std::clamp(number("threshold"), 0.001, 0.999),
                                 .bright_object = bright_object_}),
                            .labels = {{.value = 1, .name = classes_.names.front()}},
                            .licence = options_.licence.empty() ? "unknown" : options_.licence,
                            .created_by = format("voxloom {}", VOXLOOM_VERSION)};
  const std::string card = format(
      "# {}\n\nA detector of {} in {} images: boxes for the first half of a cascade.\n\n"
      "- Trained with `voxloom wire train`: {} images, validated on {} others, seed {}; data "
      "fingerprint {}. Boxes were made of the masks.\n"
      "- Validation: average precision at IoU 0.5 {:.4f}; precision {:.4f} and recall {:.4f} at "
      "confidence {:.2f}, chosen on the same images.\n- Every option is in the run's run.yaml. For "
      "research; not a medical device.\n",
      folder.parent_path().filename().string(),
      classes_.names.front(),
      bright_object_ ? "grey" : "X-ray",
      train_samples_.size(),
      validated_.size(),
      options_.trainer.seed,
      data_fingerprint_.substr(0, 16),
      number("ap50"),
      number("precision"),
      number("recall"),
      number("threshold"));
  weights::write_package(
      folder, std::move(info), tensor::state_dict(*network_), card, Overwrite::kReplace);
}

}  // namespace voxloom::recipes::wire
