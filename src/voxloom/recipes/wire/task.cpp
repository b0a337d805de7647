#include "voxloom/recipes/wire/task.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/data/batch_maker.h"
#include "voxloom/image/canvas.h"
#include "voxloom/infer_ml/cascade.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/metrics/bootstrap.h"
#include "voxloom/metrics/wire_metrics.h"
#include "voxloom/models/wire/wire_input.h"
#include "voxloom/nn/loss_ranks.h"
#include "voxloom/recipes/wire/picture.h"
#include "voxloom/recipes/wire/task_parts.h"
#include "voxloom/tensor/load.h"
#include "voxloom/weights/package.h"

namespace voxloom::recipes::wire {
namespace {

using dataset::Sample;
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

/// Pixels of all images together at each threshold.
struct ThresholdScan {
  struct Counts {
    double threshold = 0.0, both = 0.0, predicted = 0.0, real = 0.0;
    [[nodiscard]] double dice() const { return 2.0 * both / std::max(1.0, predicted + real); }
  };
  std::vector<Counts> counts;

  ThresholdScan() {
    for (int k = 4; k <= 16; ++k) counts.push_back({.threshold = 0.05 * k});
  }

  void add(const std::vector<float>& probability, const ObjectMask& truth) {
    for (auto& c : counts) {
      const auto limit = static_cast<float>(c.threshold);
      int64_t both = 0, predicted = 0, real = 0;
      for (size_t i = 0; i < probability.size(); ++i) {
        if (truth.ignore[i] != 0) continue;
        const bool p = probability[i] > limit, y = truth.object[i] != 0;
        both += p && y;
        predicted += p;
        real += y;
      }
      c.both += static_cast<double>(both);
      c.predicted += static_cast<double>(predicted);
      c.real += static_cast<double>(real);
    }
  }

  [[nodiscard]] const Counts& best() const {
    return *std::max_element(counts.begin(), counts.end(), [](const Counts& a, const Counts& b) {
      return a.dice() < b.dice();
    });
  }
};

/// Means over the images that show an object: without one a score is 1 or 0, whatever was asked.
class ObjectMeans {
 public:
  void add(const metrics::WireMetrics& measured) {
    if (measured.truth_empty) {
      ++empty_;
      alarms_ += measured.predicted_empty ? 0 : 1;
      return;
    }
    dice_.push_back(measured.pixels.dice());
    iou_.push_back(measured.pixels.iou());
    recall_.push_back(measured.pixels.recall());
    cldice_.push_back(measured.cldice.value);
    tolerance_.push_back(measured.tolerance.front().line.f1);
  }

  void write(train::Metrics& out) const {
    const auto mean = [](const std::vector<double>& v) {
      return v.empty() ? 0.0 : metrics::mean(v);
    };
    out["dice"] = mean(dice_);
    out["iou"] = mean(iou_);
    out["recall"] = mean(recall_);
    out["cldice"] = mean(cldice_);
    out["tolerance_f1_2px"] = mean(tolerance_);
    if (empty_ > 0)
      out["false_alarms"] = static_cast<double>(alarms_) / static_cast<double>(empty_);
  }

 private:
  std::vector<double> dice_, iou_, recall_, cldice_, tolerance_;
  int64_t empty_ = 0, alarms_ = 0;
};

/// Copies all parameters and buffers. Where `to` looks at more frames than `from` it sees the frame
/// itself as that did, and nothing yet of the others. Throws kInvalidArgument for other shapes.
void copy_weights(const models::wire::WireNetwork& from,
                  models::wire::WireNetwork& to,
                  const std::string& where) {
  const torch::NoGradGuard no_grad;
  const auto copy = [&](const auto& sources, const auto& targets) {
    for (const auto& item : targets) {
      const at::Tensor* source = sources.find(item.key());
      at::Tensor target = item.value();
      const bool looks_back = source != nullptr && target.dim() == 4 && source->dim() == 4 &&
                              target.size(1) == to.in_channels() &&
                              source->size(1) == from.in_channels() &&
                              target.size(1) > source->size(1) && target.size(0) == source->size(0);
      if (looks_back) {
        target.zero_();
        target = target.slice(1, 0, source->size(1));
      }
      VOXLOOM_CHECK(source != nullptr && source->sizes() == target.sizes(),
                    ErrorCode::kInvalidArgument,
                    "--init '{}': must have the network's own shapes, got another one of '{}'",
                    where,
                    item.key());
      target.copy_(*source);
    }
  };
  copy(from.named_parameters(), to.named_parameters());
  copy(from.named_buffers(), to.named_buffers());
}

/// The frame and those before it as channels, objects dark: [1, C, H, W].
at::Tensor clip_image(const Sample& sample,
                      const dataset::LabelledImage& labelled,
                      const std::vector<Sample>& earlier) {
  const auto tensor = [](const Sample& s, const dataset::LabelledImage& l) {
    const auto image =
        at::from_blob(const_cast<float*>(l.image.data()), {1, 1, l.height, l.width}, at::kFloat);
    return s.bright_object ? 1.0 - image : image.clone();
  };
  std::vector<at::Tensor> frames{tensor(sample, labelled)};
  for (const auto& before : earlier) {
    const auto frame = dataset::load_sample(before);
    const bool same = frame.width == labelled.width && frame.height == labelled.height;
    frames.push_back(same ? tensor(before, frame) : frames.back());
  }
  return at::cat(frames, 1);
}

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
                   std::string data_fingerprint,
                   train::Communicator* ranks)
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
  if (!options.init.empty()) {
    const auto start = start_package(options.init, options.architecture);
    copy_weights(*infer_ml::load_wire_network(start), *network_, options.init);
  }
  auto loading = loader_options(options, network_->size_multiple(), ranks);
  loading.frames = network_->in_channels();
  if (options.crops == infer::CropKind::kBoxes) {
    VOXLOOM_CHECK(options.crop > 0,
                  ErrorCode::kInvalidArgument,
                  "--crops boxes: needs the side of the crops, --crop 224");
    VOXLOOM_CHECK(loading.frames == 1,
                  ErrorCode::kUnsupported,
                  "--crops boxes: needs a network that looks at one frame, '{}' looks at {}",
                  options.architecture,
                  loading.frames);
    crops_.side = options.crop;
    loading.boxes = {.on = true, .is_object = classes_.is_object, .rule = crops_};
  }
  loader_ = std::make_unique<data::Loader>(train_samples_, loading);
  find_earlier(validation_samples);
  if (ranks != nullptr) {
    sum_over_ranks_ = [ranks](const at::Tensor& sums) { ranks->sum(sums); };
  }
  object_table_ = at::zeros({256}, at::kFloat);
  for (int64_t c = 0; c < 256; ++c) {
    if (classes_(static_cast<uint8_t>(c))) object_table_[c] = 1.0F;
  }
  counted_table_ = at::ones({256}, at::kFloat);
  for (int64_t c = 0; c < 256; ++c) {
    if (classes_.is_ignored[static_cast<size_t>(c)]) counted_table_[c] = 0.0F;
  }
}

/// The frames before each validation image, for networks that look back.
void WireTask::find_earlier(const std::vector<Sample>& all) {
  const auto earlier = data::earlier_frames(all, network_->in_channels() - 1);
  std::map<std::string_view, size_t> place;
  for (size_t i = 0; i < all.size(); ++i) place[all[i].id] = i;
  for (const auto& sample : validation_samples_) {
    auto& list = validation_earlier_.emplace_back();
    for (const int64_t i : earlier[place.at(sample.id)])
      list.push_back(all[static_cast<size_t>(i)]);
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
      counted_table_.index_select(0, classes.flatten()).view_as(classes).unsqueeze(1);
  const auto logits = network_->forward_train(models::wire::normalise(batch->image));
  const double progress = (static_cast<double>(epoch_) +
                           static_cast<double>(step_) / static_cast<double>(steps_per_epoch())) /
                          static_cast<double>(epochs_);
  const nn::LossesOverRanks over_ranks(sum_over_ranks_);
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
std::vector<float> WireTask::probability_of(const Sample& sample,
                                            const dataset::LabelledImage& labelled,
                                            const ObjectMask& truth,
                                            const std::vector<Sample>& earlier) {
  const auto logits_of = [this](const at::Tensor& x) { return network_->forward(x); };
  const auto clip = clip_image(sample, labelled, earlier);
  std::vector<float> probability;
  if (options_.crops == infer::CropKind::kBoxes) {
    const auto pixels = clip.contiguous();
    const auto boxes = infer::boxes_of_mask(truth.object, labelled.width, labelled.height);
    infer_ml::crop_probability(
        logits_of,
        network_->size_multiple(),
        {pixels.const_data_ptr<float>(), static_cast<size_t>(pixels.numel())},
        labelled.width,
        labelled.height,
        boxes,
        crops_,
        infer::TestAugmentation::kNone,
        probability);
    return probability;
  }
  const auto map = infer_ml::wire_probability(
                       logits_of, clip, network_->size_multiple(), infer::TestAugmentation::kNone)
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
  // Four pictures, spread as the images are, so that they are of different sequences.
  const auto is_shown = [stride = std::max<size_t>(1, validation_samples_.size() / 4)](size_t i) {
    return i % stride == 0 && i / stride < 4;
  };
  progress.begin("validate", static_cast<int64_t>(validation_samples_.size()));
  for (size_t n = 0; n < validation_samples_.size(); ++n) {
    stop.check();
    const auto& sample = validation_samples_[n];
    auto labelled = dataset::load_sample(sample);
    truths.push_back(object_mask(labelled.mask, classes_));
    probabilities.push_back(
        probability_of(sample, labelled, truths.back(), validation_earlier_[n]));
    scan.add(probabilities.back(), truths.back());
    losses.push_back(cross_entropy(probabilities.back(), truths.back()));
    if (is_shown(n)) {
      shown.push_back(std::move(labelled));
    } else {
      // Only the size is needed again.
      shown.push_back(
          {.width = labelled.width, .height = labelled.height, .image = {}, .mask = {}});
    }
    progress.advance(1);
  }
  progress.end();

  const auto& best = scan.best();
  ObjectMeans means;
  pictures_.clear();
  for (size_t i = 0; i < truths.size(); ++i) {
    std::vector<uint8_t> predicted(probabilities[i].size());
    for (size_t k = 0; k < predicted.size(); ++k) {
      predicted[k] = probabilities[i][k] > static_cast<float>(best.threshold);
    }
    means.add(metrics::measure_wire({.width = shown[i].width,
                                     .height = shown[i].height,
                                     .truth = truths[i].object,
                                     .predicted = predicted,
                                     .ignore = truths[i].ignore},
                                    {.radii_px = {2.0}, .radii_mm = {}}));
    if (is_shown(i)) {
      const auto canvas = compare_masks(shown[i], truths[i], predicted);
      pictures_.push_back({.name = validation_samples_[i].id,
                           .width = canvas.width(),
                           .height = canvas.height(),
                           .rgb = canvas.pixels()});
    }
  }
  train::Metrics out{
      {"loss", metrics::mean(losses)}, {"dice_pooled", best.dice()}, {"threshold", best.threshold}};
  means.write(out);
  return out;
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
