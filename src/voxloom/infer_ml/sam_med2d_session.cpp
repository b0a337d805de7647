// One volume or picture being annotated with SAM-Med2D, slice by slice. The embedding of a slice is
// made once and shared by all clicks, objects and sessions of the image.
#include <chrono>
#include <cstring>
#include <map>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/infer/merge.h"
#include "voxloom/infer/prompt_parse.h"
#include "voxloom/infer_ml/feature_pool.h"
#include "voxloom/infer_ml/sam_med2d_network.h"
#include "voxloom/infer_ml/slice_scores.h"
#include "voxloom/models/sam2/holes.h"

namespace voxloom::infer_ml {
namespace {

namespace med2d = models::sam_med2d;
using Clock = std::chrono::steady_clock;

/// Largest hole that is filled, in pixels of the low-resolution mask: as for SAM 2.
constexpr int64_t kHoleArea = 8;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// An answer that is kept for as long as its prompt stays the same.
struct Answer {
  SlicePrompt prompt;
  at::Tensor low;  ///< [1, 1, 4g, 4g] logits.
};

class SamMed2dSession final : public infer::SegmentSession {
 public:
  SamMed2dSession(std::shared_ptr<SamMed2dNetwork> network,
                  std::shared_ptr<FeaturePool> pool,
                  std::shared_ptr<image::VolumeSource> volume,
                  std::string device)
      : network_(std::move(network)),
        pool_(std::move(pool)),
        volume_(std::move(volume)),
        device_(std::move(device)) {}

  void set_prompts(const std::vector<infer::ObjectPrompt>& objects) override {
    infer::validate_prompts(objects, volume_->geometry());
    for (const auto& object : objects) {
      for (const auto& [z, prompt] : slices_of(object, {})) {
        VOXLOOM_CHECK(prompt.clicks.size() <= kMaxSliceClicks,
                      ErrorCode::kInvalidArgument,
                      "object '{}': slice {} must have at most {} clicks, got {}",
                      object.name,
                      z,
                      kMaxSliceClicks,
                      prompt.clicks.size());
      }
    }
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
    const auto slices = slices_of(objects_[object], options_);
    const auto found = slices.find(z);
    VOXLOOM_CHECK(found != slices.end() && found->second.selects(),
                  ErrorCode::kInvalidArgument,
                  "preview: slice {} must be a key slice of object '{}'",
                  z,
                  objects_[object].name);
    return pixels_of(answer(z, found->second), options_);
  }

  void warm(const infer::SegmentOptions& options, int64_t z, const CancelToken& stop) override {
    const torch::NoGradGuard no_grad;
    options.validate();
    VOXLOOM_CHECK(z >= 0 && z < volume_->geometry().size[2],
                  ErrorCode::kInvalidArgument,
                  "warm: must name a slice 0 to {}, got {}",
                  volume_->geometry().size[2] - 1,
                  z);
    prepare(options.window);
    stop.check();
    static_cast<void>(embedding(z));
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
    encoded_ = decoded_ = 0;
    encode_seconds_ = 0.0;
    const auto start = Clock::now();
    prepare(options.window);
    const double window_seconds = seconds_since(start);

    infer::SegmentResult result;
    std::vector<infer::MergedObject> merged;
    std::map<int64_t, std::vector<Answer>> used;
    const auto slices_start = Clock::now();
    for (const auto& object : objects_) {
      merged.push_back(segment_object(object, used, result.report, progress, stop));
    }
    answers_ = std::move(used);
    const double slices_seconds = seconds_since(slices_start);
    const auto merge_start = Clock::now();
    result.labels = infer::compose_labels(volume_->geometry(), merged, stop);
    fill_report(result.report);
    result.report.times_s = {{"window", window_seconds},
                             {"encode", encode_seconds_},
                             {"decode", slices_seconds - encode_seconds_},
                             {"merge", seconds_since(merge_start)}};
    return result;
  }

 private:
  /// What an object's prompts say, slice by slice, within the options' slice range.
  static std::map<int64_t, SlicePrompt> slices_of(const infer::ObjectPrompt& object,
                                                  const infer::SegmentOptions& options) {
    std::map<int64_t, SlicePrompt> slices;
    const auto inside = [&](int64_t z) {
      return !options.slice_range ||
             (z >= (*options.slice_range)[0] && z <= (*options.slice_range)[1]);
    };
    for (const auto& point : object.points) {
      if (!inside(point.voxel[2])) continue;
      slices[point.voxel[2]].clicks.push_back(
          {static_cast<float>(point.voxel[0]), static_cast<float>(point.voxel[1]), point.positive});
    }
    for (const auto& box : object.boxes) {
      for (int64_t z = box.lo[2]; z <= box.hi[2]; ++z) {
        if (!inside(z)) continue;
        slices[z].boxes.push_back({static_cast<float>(box.lo[0]),
                                   static_cast<float>(box.lo[1]),
                                   static_cast<float>(box.hi[0]),
                                   static_cast<float>(box.hi[1])});
      }
    }
    for (const auto& mask : object.masks) {
      if (inside(mask.z)) slices[mask.z].mask = mask.pixels;
    }
    return slices;
  }

  void prepare(const std::string& window) {
    if (features_ && window == window_) return;
    auto features = pool_->open(volume_, window);
    features_ = std::move(features);
    window_ = window;
    answers_.clear();
  }

  at::Tensor embedding(int64_t z) {
    const auto maps = features_->get(z, [&]() -> FeatureMaps {
      const auto start = Clock::now();
      const auto& size = volume_->geometry().size;
      const auto grey = image::apply_window(features_->grey_map(), volume_->read_slab(z, z + 1));
      const at::Tensor made =
          network_->encode(sam_med2d_input(grey, size[0], size[1], network_->options().image_size));
      ++encoded_;
      encode_seconds_ += seconds_since(start);
      return {at::Tensor(), at::Tensor(), made};
    });
    return maps[2];
  }

  /// Logits [1, 1, 4g, 4g], those of before where the prompt is the same.
  at::Tensor answer(int64_t z, const SlicePrompt& prompt) {
    for (const auto& before : answers_[z]) {
      if (before.prompt == prompt) return before.low;
    }
    const auto& size = volume_->geometry().size;
    const at::Tensor map = embedding(z);
    ++decoded_;
    at::Tensor low = segment_slice(*network_, map, prompt, size[0], size[1]);
    answers_[z].push_back({prompt, low});
    return low;
  }

  std::vector<uint8_t> pixels_of(const at::Tensor& low,
                                 const infer::SegmentOptions& options) const {
    const auto& size = volume_->geometry().size;
    const at::Tensor filled = models::sam2::fill_holes(low, options.fill_holes ? kHoleArea : 0);
    const at::Tensor mask =
        med2d::masks_at_size(filled, network_->options().image_size, size[1], size[0])
            .gt(0)
            .to(torch::kUInt8)
            .contiguous();
    std::vector<uint8_t> pixels(static_cast<size_t>(size[0] * size[1]));
    std::memcpy(pixels.data(), mask.data_ptr<uint8_t>(), pixels.size());
    return pixels;
  }

  /// The largest part of a slice's mask and those with a positive click, as runs.
  std::vector<infer::Run> largest_of(int64_t z,
                                     const std::vector<uint8_t>& pixels,
                                     const infer::ObjectPrompt& object) const {
    // A volume of one slice: parts of other slices must not count.
    infer::MergedMask mask;
    mask.certain = infer::RunMask({volume_->geometry().size[0], volume_->geometry().size[1], 1});
    mask.uncertain = mask.certain;
    mask.certain.set_slice(0, pixels);
    std::vector<infer::PointPrompt> points;
    for (auto point : object.points) {
      if (point.voxel[2] != z) continue;
      point.voxel[2] = 0;
      points.push_back(point);
    }
    infer::keep_largest(mask, points);
    return mask.certain.runs(0);
  }

  infer::MergedObject segment_object(const infer::ObjectPrompt& object,
                                     std::map<int64_t, std::vector<Answer>>& used,
                                     infer::SegmentReport& report,
                                     Progress& progress,
                                     const CancelToken& stop) {
    infer::MergedObject merged{object.name, object.value, {}};
    merged.mask.certain = infer::RunMask(volume_->geometry().size);
    merged.mask.uncertain = infer::RunMask(volume_->geometry().size);
    SliceScores scores;
    const auto slices = slices_of(object, options_);
    int64_t segmented = 0;
    progress.begin(object.name, static_cast<int64_t>(slices.size()));
    for (const auto& [z, prompt] : slices) {
      stop.check();
      progress.advance(1);
      if (!prompt.selects()) {
        report.notes.push_back(
            format("{}: negative clicks alone on slice {} select nothing there", object.name, z));
        continue;
      }
      ++segmented;
      const at::Tensor low = answer(z, prompt);
      used[z].push_back({prompt, low});
      const auto pixels = pixels_of(low, options_);
      if (options_.components == infer::Components::kLargest) {
        merged.mask.certain.set_runs(z, largest_of(z, pixels, object));
      } else {
        merged.mask.certain.set_slice(z, pixels);
      }
      if (options_.scores) scores.add(z, low, true);
    }
    progress.end();
    VOXLOOM_CHECK(segmented > 0,
                  ErrorCode::kInvalidArgument,
                  "object '{}': no prompt lies within the slice range",
                  object.name);
    if (merged.mask.certain.empty()) {
      report.notes.push_back("object '" + object.name +
                             "': no voxel was found; add a click or choose another --window");
    }
    if (options_.scores) report.scores.push_back(scores.result());
    return merged;
  }

  void fill_report(infer::SegmentReport& report) const {
    report.model = network_->name();
    report.engine = engine::engine_name(network_->engine().engine);
    report.precision = engine::precision_name(network_->engine().precision);
    report.device = device_;
    report.slices_encoded = encoded_;
    report.slices_tracked = decoded_;
    const auto& grey_map = features_->grey_map();
    report.notes.push_back(
        format("window {}: {:g} to {:g}", grey_map.name, grey_map.window.lo, grey_map.window.hi));
    if (grey_map.flat()) {
      report.notes.push_back("the window leaves no contrast; choose another --window");
    }
    if (volume_->geometry().size[2] > 1) {
      report.notes.push_back("a 2-D network: only slices with prompts of their own are segmented");
    }
  }

  std::shared_ptr<SamMed2dNetwork> network_;
  std::shared_ptr<FeaturePool> pool_;
  std::shared_ptr<image::VolumeSource> volume_;
  std::string device_;
  infer::SegmentOptions options_;  ///< Of the last run.
  std::vector<infer::ObjectPrompt> objects_;
  std::string window_;
  std::shared_ptr<ImageFeatures> features_;  ///< Of window_.
  std::map<int64_t, std::vector<Answer>> answers_;
  int64_t encoded_ = 0, decoded_ = 0;
  double encode_seconds_ = 0.0;
};

class SamMed2dSegmenter final : public infer::Segmenter {
 public:
  SamMed2dSegmenter(const weights::Package& package, const infer::RuntimeOptions& runtime)
      : network_(std::make_shared<SamMed2dNetwork>(package, runtime)),
        pool_(FeaturePool::make(runtime.feature_cache_mb << 20,
                                network_->engine().precision == engine::Precision::kBf16)),
        runtime_(runtime) {}

  std::string name() const override { return network_->name(); }
  std::string description() const override {
    return "interactive 2-D segmentation, slice by slice, " + network_->variant();
  }
  std::unique_ptr<infer::SegmentSession> open(
      std::shared_ptr<image::VolumeSource> volume) override {
    return std::make_unique<SamMed2dSession>(network_, pool_, std::move(volume), runtime_.device);
  }

 private:
  std::shared_ptr<SamMed2dNetwork> network_;
  std::shared_ptr<FeaturePool> pool_;
  infer::RuntimeOptions runtime_;
};

}  // namespace

std::unique_ptr<infer::Segmenter> make_sam_med2d_segmenter(const weights::Package& package,
                                                           const infer::RuntimeOptions& runtime) {
  return std::make_unique<SamMed2dSegmenter>(package, runtime);
}

}  // namespace voxloom::infer_ml
