// One volume being annotated with a SAM 2 family network. The main flow is run(): per object the
// plan of DESIGN section 5, the passes that changed, then merging. Features of a slice are made
// once and shared by both directions, all clicks, all objects and all sessions of the image.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>

#include <torch/torch.h>

#include "voxloom/infer/merge.h"
#include "voxloom/infer/prompt_parse.h"
#include "voxloom/infer/prompt_plan.h"
#include "voxloom/infer_ml/feature_pool.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/infer_ml/slice_reader.h"
#include "voxloom/infer_ml/slice_scores.h"
#include "voxloom/models/sam2/tracker.h"

namespace voxloom::infer_ml {
namespace {

namespace sam2 = models::sam2;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The passes of one object, kept for as long as nothing that they depend on changes.
struct FinishedPasses {
  infer::ObjectPlan plan;
  std::vector<infer::MaskPrompt> masks;
  bool fill_holes = true;
  int64_t stop_after_absent = 0;
  std::vector<infer::RunMask> results;
  bool scored = false;  ///< Whether `scores` was asked for.
  std::optional<infer::ObjectScores> scores;
};

class Sam2Session final : public infer::SegmentSession {
 public:
  Sam2Session(std::shared_ptr<Sam2Network> network,
              std::shared_ptr<FeaturePool> pool,
              std::shared_ptr<image::VolumeSource> volume,
              std::string device)
      : network_(std::move(network)),
        pool_(std::move(pool)),
        volume_(std::move(volume)),
        device_(std::move(device)) {}

  void set_prompts(const std::vector<infer::ObjectPrompt>& objects) override {
    infer::validate_prompts(objects, volume_->geometry());
    objects_ = objects;
  }

  std::vector<uint8_t> preview_slice(size_t object, int64_t z, const CancelToken& stop) override {
    const torch::NoGradGuard no_grad;
    VOXLOOM_CHECK(object < objects_.size(),
                  ErrorCode::kInvalidArgument,
                  "preview: there are {} objects, got index {}",
                  objects_.size(),
                  object);
    prepare(options_.window);
    stop.check();
    const auto plan = infer::plan_object(objects_[object], volume_->geometry(), options_);
    const auto key =
        std::find_if(plan.keys.begin(), plan.keys.end(), [z](const auto& k) { return k.z == z; });
    VOXLOOM_CHECK(key != plan.keys.end(),
                  ErrorCode::kInvalidArgument,
                  "preview: slice {} must be a key slice of object '{}'",
                  z,
                  objects_[object].name);
    auto tracker = make_tracker(options_.fill_holes);
    return pixels_of(set_key(tracker, objects_[object], *key));
  }

  void warm(const infer::SegmentOptions& options, int64_t z, const CancelToken& stop) override {
    const torch::NoGradGuard no_grad;
    options.validate();
    VOXLOOM_CHECK(z >= 0 && z < volume_->geometry().size[2],
                  ErrorCode::kInvalidArgument,
                  "warm: must name a slice 0 to {}, got {}",
                  volume_->geometry().size[2] - 1,
                  z);
    if (prepare(options.window)) finished_.clear();
    stop.check();
    static_cast<void>(features(z));
  }

  infer::SegmentResult run(const infer::SegmentOptions& options,
                           Progress& progress,
                           const CancelToken& stop) override {
    const torch::NoGradGuard no_grad;
    options.validate();
    VOXLOOM_CHECK(!objects_.empty(),
                  ErrorCode::kInvalidArgument,
                  "segment: no prompt selects a slice; give a click, a box or a mask");
    options_ = options;
    encoded_ = tracked_ = 0;
    encode_seconds_ = 0.0;
    const auto start = Clock::now();
    if (prepare(options.window)) finished_.clear();
    const double window_seconds = seconds_since(start);

    infer::SegmentResult result;
    std::vector<infer::MergedObject> merged;
    std::vector<FinishedPasses> kept;
    const auto passes_start = Clock::now();
    for (const auto& object : objects_) {
      const auto plan = infer::plan_object(object, volume_->geometry(), options);
      for (const auto& note : plan.notes) result.report.notes.push_back(object.name + ": " + note);
      kept.push_back(passes_for(object, plan, options, progress, stop));
    }
    finished_ = std::move(kept);
    const double passes_seconds = seconds_since(passes_start);

    const auto merge_start = Clock::now();
    for (size_t i = 0; i < objects_.size(); ++i) {
      merged.push_back(merge(objects_[i], finished_[i], options, result.report));
    }
    if (options.scores) {
      for (const auto& finished : finished_) result.report.scores.push_back(finished.scores);
    }
    result.labels = infer::compose_labels(volume_->geometry(), merged, stop);
    fill_report(result.report);
    result.report.times_s = {{"window", window_seconds},
                             {"encode", encode_seconds_},
                             {"track", passes_seconds - encode_seconds_},
                             {"merge", seconds_since(merge_start)}};
    return result;
  }

 private:
  /// Works out the window; true when it changed, so that features made before don't count.
  bool prepare(const std::string& window) {
    if (features_ && window == window_) return false;
    auto features = pool_->open(volume_, window);
    reader_.emplace(volume_, features->grey_map(), network_->model->options.image_size);
    features_ = std::move(features);
    window_ = window;
    return true;
  }

  sam2::SliceFeatures features(int64_t z) {
    const auto maps = features_->get(z, [&]() -> FeatureMaps {
      const auto start = Clock::now();
      const auto made = network_->encoder->encode(reader_->read(z));
      ++encoded_;
      encode_seconds_ += seconds_since(start);
      return {made.f0, made.f1, made.f2};
    });
    return {maps[0], maps[1], maps[2]};
  }

  sam2::ObjectTracker make_tracker(bool fill_holes) {
    sam2::ParitySwitches switches;
    if (!fill_holes) switches.fill_hole_area = 0;
    const auto& size = volume_->geometry().size;
    return sam2::ObjectTracker(
        network_->model,
        {.num_slices = size[2], .height = size[1], .width = size[0]},
        [this](int64_t z) { return features(z); },
        switches);
  }

  sam2::SliceOutput set_key(sam2::ObjectTracker& tracker,
                            const infer::ObjectPrompt& object,
                            const infer::KeySlice& key) {
    sam2::SliceOutput output;
    auto mode = sam2::PromptMode::kReplace;
    if (key.mask) {
      const auto& size = volume_->geometry().size;
      const auto& pixels = object.masks[*key.mask].pixels;
      auto mask = torch::empty({size[1], size[0]}, torch::kUInt8);
      std::memcpy(mask.data_ptr<uint8_t>(), pixels.data(), pixels.size());
      output = tracker.set_mask(key.z, mask);
      mode = sam2::PromptMode::kRefine;  // clicks on a masked slice correct the mask
    }
    if (!key.box && key.points.empty()) return output;
    sam2::PointPrompt prompt;
    if (key.box) {
      prompt.box = {static_cast<float>(key.box->x0),
                    static_cast<float>(key.box->y0),
                    static_cast<float>(key.box->x1),
                    static_cast<float>(key.box->y1)};
    }
    for (const auto& point : key.points) {
      prompt.points.push_back(
          {static_cast<float>(point.x), static_cast<float>(point.y), point.positive});
    }
    return tracker.set_points(key.z, prompt, mode, output.low);
  }

  std::vector<uint8_t> pixels_of(const sam2::SliceOutput& output) const {
    const auto& size = volume_->geometry().size;
    std::vector<uint8_t> pixels(static_cast<size_t>(size[0] * size[1]), 0);
    if (output.score <= 0) return pixels;  // absent: every logit is negative
    const auto mask =
        sam2::resize_logits(output.low, size[1], size[0]).gt(0).to(torch::kUInt8).contiguous();
    std::memcpy(pixels.data(), mask.data_ptr<uint8_t>(), pixels.size());
    return pixels;
  }

  /// The passes of an object: those of the run before where nothing changed, else computed.
  FinishedPasses passes_for(const infer::ObjectPrompt& object,
                            const infer::ObjectPlan& plan,
                            const infer::SegmentOptions& options,
                            Progress& progress,
                            const CancelToken& stop) {
    for (const auto& before : finished_) {
      if (before.plan == plan && before.masks == object.masks &&
          before.fill_holes == options.fill_holes &&
          before.stop_after_absent == options.stop_after_absent &&
          (before.scored || !options.scores)) {
        return before;
      }
    }
    FinishedPasses finished{.plan = plan,
                            .masks = object.masks,
                            .fill_holes = options.fill_holes,
                            .stop_after_absent = options.stop_after_absent,
                            .results = {},
                            .scored = options.scores,
                            .scores = {}};
    SliceScores scores;
    auto tracker = make_tracker(options.fill_holes);
    for (const auto& key : plan.keys) {
      stop.check();
      static_cast<void>(set_key(tracker, object, key));
    }
    for (const auto& pass : plan.passes) {
      infer::RunMask mask(volume_->geometry().size);
      const sam2::PropagateOptions bounds{
          .direction = pass.forward ? sam2::Direction::kForward : sam2::Direction::kBackward,
          .start = pass.first,
          .stop = pass.last,
          .stop_after_absent = options.stop_after_absent};
      progress.begin(object.name + (pass.forward ? " forward" : " backward"),
                     std::abs(pass.last - pass.first) + 1);
      const auto done = tracker.propagate(
          bounds,
          [&](const sam2::SliceOutput& output) {
            mask.set_slice(output.slice, pixels_of(output));
            if (options.scores) scores.add(output.slice, output.low, output.score > 0);
          },
          stop,
          &progress);
      progress.end();
      tracked_ += done.slices;
      finished.results.push_back(std::move(mask));
    }
    if (options.scores) {
      finished.scores = scores.result();
      if (finished.scores && plan.two_ended && finished.results.size() == 2) {
        finished.scores->disagreement =
            infer::disagreement_of(finished.results[0], finished.results[1]);
      }
    }
    return finished;
  }

  infer::MergedObject merge(const infer::ObjectPrompt& object,
                            const FinishedPasses& finished,
                            const infer::SegmentOptions& options,
                            infer::SegmentReport& report) const {
    std::vector<const infer::RunMask*> passes;
    for (const auto& result : finished.results) passes.push_back(&result);
    infer::MergedObject merged{
        object.name, object.value, infer::merge_passes(passes, finished.plan, options.merge)};
    if (options.components == infer::Components::kLargest) {
      infer::keep_largest(merged.mask, object.points);
    }
    if (merged.mask.certain.empty()) {
      report.notes.push_back("object '" + object.name +
                             "': no voxel was found; add a click or choose another --window");
    }
    return merged;
  }

  void fill_report(infer::SegmentReport& report) const {
    report.model = network_->name;
    report.engine = engine::engine_name(network_->encoder->engine());
    report.precision = engine::precision_name(network_->encoder->precision());
    report.device = device_;
    report.slices_encoded = encoded_;
    report.slices_tracked = tracked_;
    const auto& grey_map = features_->grey_map();
    report.notes.push_back(
        format("window {}: {:g} to {:g}", grey_map.name, grey_map.window.lo, grey_map.window.hi));
    if (grey_map.flat()) {
      report.notes.push_back("the window leaves no contrast; choose another --window");
    }
  }

  std::shared_ptr<Sam2Network> network_;
  std::shared_ptr<FeaturePool> pool_;
  std::shared_ptr<image::VolumeSource> volume_;
  std::string device_;
  infer::SegmentOptions options_;  ///< Of the last run.
  std::vector<infer::ObjectPrompt> objects_;
  std::string window_;
  std::optional<SliceReader> reader_;
  std::shared_ptr<ImageFeatures> features_;  ///< Of window_.
  std::vector<FinishedPasses> finished_;
  int64_t encoded_ = 0, tracked_ = 0;
  double encode_seconds_ = 0.0;
};

class Sam2Segmenter final : public infer::Segmenter {
 public:
  Sam2Segmenter(std::shared_ptr<Sam2Network> network, const infer::RuntimeOptions& runtime)
      : network_(std::move(network)), pool_(make_pool(*network_, runtime)), runtime_(runtime) {}

  std::string name() const override { return network_->name; }
  std::string description() const override {
    return "interactive 3-D segmentation, " + network_->model->options.variant;
  }
  std::unique_ptr<infer::SegmentSession> open(
      std::shared_ptr<image::VolumeSource> volume) override {
    return std::make_unique<Sam2Session>(network_, pool_, std::move(volume), runtime_.device);
  }

 private:
  static std::shared_ptr<FeaturePool> make_pool(const Sam2Network& network,
                                                const infer::RuntimeOptions& runtime) {
    const bool half = network.encoder->precision() == engine::Precision::kBf16;
    return FeaturePool::make(runtime.feature_cache_mb << 20, half);
  }

  std::shared_ptr<Sam2Network> network_;
  std::shared_ptr<FeaturePool> pool_;
  infer::RuntimeOptions runtime_;
};

}  // namespace

std::unique_ptr<infer::Segmenter> make_sam2_segmenter(std::shared_ptr<Sam2Network> network,
                                                      const infer::RuntimeOptions& runtime) {
  return std::make_unique<Sam2Segmenter>(std::move(network), runtime);
}

}  // namespace voxloom::infer_ml
