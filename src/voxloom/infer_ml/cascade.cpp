#include "voxloom/infer_ml/cascade.h"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/wire_onnx.h"
#include "voxloom/infer_ml/cascade_package.h"
#include "voxloom/infer_ml/detection.h"

namespace voxloom::infer_ml {
namespace {

using infer::WireBox;

class CascadeSegmenter final : public infer::WireSegmenter {
 public:
  CascadeSegmenter(const weights::Package& package,
                   const infer::RuntimeOptions& runtime,
                   infer::TestAugmentation augmentation)
      : parts_(read_cascade(package)), augmentation_(augmentation), tracker_(parts_.rules.boxes) {
    const bool gate = package.info.bf16 && package.info.bf16->passed;
    const auto engine = resolve_runtime(runtime, gate);
    auto second = engine;
    if (!engine::wire_takes_bf16(parts_.segmenter_name)) {
      second.precision = engine::Precision::kF32;
    }
    detector_ = std::make_unique<StreamDetector>(parts_.detector,
                                                 parts_.detector_options,
                                                 parts_.detector_state,
                                                 package.info.weights_sha256,
                                                 engine);
    segmenter_ = std::make_unique<SizedNetwork>(wire_network_source(parts_.segmenter,
                                                                    parts_.segmenter_name,
                                                                    parts_.segmenter_options,
                                                                    parts_.segmenter_state,
                                                                    package.info.weights_sha256),
                                                second);
    const auto facts =
        wire_preprocessing_from_json(package.info.preprocessing, package.folder.string());
    info_ = {.name = package.name(),
             .architecture = kCascadeName,
             .engine = std::string(engine::engine_name(engine.engine)),
             .precision = std::string(engine::precision_name(engine.precision)),
             .classes = facts.classes,
             .threshold = facts.threshold,
             .bright_object = facts.bright_object};
  }

  const infer::WireModelInfo& info() const override { return info_; }

  void reset() override {
    detector_->reset();
    tracker_.reset();
    width_ = height_ = 0;
  }

  void segment(const image::Frame& frame, std::vector<float>& probability) override {
    VOXLOOM_CHECK(frame.width > 0 && frame.height > 0 &&
                      frame.pixels.size() == static_cast<size_t>(frame.width * frame.height),
                  ErrorCode::kInvalidArgument,
                  "wire model: a frame must have pixels, got {} x {} with {}",
                  frame.width,
                  frame.height,
                  frame.pixels.size());
    const torch::InferenceMode guard;
    if (frame.width != width_ || frame.height != height_) reset();
    width_ = frame.width;
    height_ = frame.height;
    pixels_ = frame.pixels;
    if (info_.bright_object) {
      for (float& v : pixels_) v = 1.0F - v;
    }
    tracker_.step(find_boxes(), width_, height_);
    crop_probability([this](const at::Tensor& x) { return segmenter_->run({x}).front(); },
                     parts_.segmenter->size_multiple(),
                     pixels_,
                     width_,
                     height_,
                     tracker_.active(),
                     parts_.rules.crops,
                     augmentation_,
                     probability);
  }

 private:
  /// Boxes of this frame, in its px.
  std::vector<WireBox> find_boxes() {
    int64_t width = width_, height = height_;
    const int64_t side = parts_.rules.detector_side;
    std::vector<float>* seen = &pixels_;
    if (side > 0 && side != std::max(width, height)) {
      const double scale = static_cast<double>(side) / static_cast<double>(std::max(width, height));
      const auto scaled = [&](int64_t n) {
        return std::max<int64_t>(1, std::lround(static_cast<double>(n) * scale));
      };
      width = scaled(width_);
      height = scaled(height_);
      infer::resample(pixels_, width_, height_, {0, 0, width_, height_}, width, height, resized_);
      seen = &resized_;
    }
    auto boxes = detector_->detect(at::from_blob(seen->data(), {1, 1, height, width}, at::kFloat),
                                   parts_.rules.boxes);
    const double sx = static_cast<double>(width_) / static_cast<double>(width);
    const double sy = static_cast<double>(height_) / static_cast<double>(height);
    for (WireBox& box : boxes) {
      box.x0 *= sx;
      box.x1 *= sx;
      box.y0 *= sy;
      box.y1 *= sy;
    }
    return boxes;
  }

  CascadeParts parts_;
  infer::TestAugmentation augmentation_;
  infer::WireBoxTracker tracker_;
  infer::WireModelInfo info_;
  std::unique_ptr<StreamDetector> detector_;
  std::unique_ptr<SizedNetwork> segmenter_;
  int64_t width_ = 0, height_ = 0;  ///< Of the stream's frames.
  std::vector<float> pixels_, resized_;
};

}  // namespace

std::unique_ptr<infer::WireSegmenter> make_cascade_segmenter(const weights::Package& package,
                                                             const infer::RuntimeOptions& runtime,
                                                             infer::TestAugmentation augmentation) {
  return std::make_unique<CascadeSegmenter>(package, runtime, augmentation);
}

void crop_probability(const std::function<at::Tensor(const at::Tensor&)>& logits_of,
                      int64_t size_multiple,
                      std::span<const float> pixels,
                      int64_t width,
                      int64_t height,
                      const std::vector<WireBox>& boxes,
                      const infer::CropRule& rule,
                      infer::TestAugmentation augmentation,
                      std::vector<float>& probability) {
  probability.assign(pixels.size(), 0.0F);
  std::vector<infer::CropWindow> done;
  std::vector<float> crop;
  for (const WireBox& box : boxes) {
    for (const auto& window : infer::crop_windows(box, width, height, rule)) {
      if (std::find(done.begin(), done.end(), window) != done.end()) continue;
      done.push_back(window);
      infer::resample(pixels, width, height, window, rule.side, rule.side, crop);
      const auto image = at::from_blob(crop.data(), {1, 1, rule.side, rule.side}, at::kFloat);
      const auto found =
          wire_probability(logits_of, image, size_multiple, augmentation).contiguous();
      infer::paste_maximum({found.const_data_ptr<float>(), static_cast<size_t>(found.numel())},
                           rule.side,
                           window,
                           width,
                           height,
                           probability);
    }
  }
}

}  // namespace voxloom::infer_ml
