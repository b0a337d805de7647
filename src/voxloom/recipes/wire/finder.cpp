#include "voxloom/recipes/wire/finder.h"

#include "voxloom/infer/wire_tracker.h"

namespace voxloom::recipes::wire {
namespace {

class ThresholdFinder final : public Finder {
 public:
  ThresholdFinder(std::unique_ptr<infer::WireSegmenter> segmenter, double threshold)
      : segmenter_(std::move(segmenter)), threshold_(static_cast<float>(threshold)) {}
  const infer::WireModelInfo& info() const override { return segmenter_->info(); }
  void reset() override { segmenter_->reset(); }
  Found find(const image::Frame& frame) override {
    segmenter_->segment(frame, probability_);
    Found found;
    found.mask.resize(probability_.size());
    for (size_t i = 0; i < probability_.size(); ++i) found.mask[i] = probability_[i] > threshold_;
    return found;
  }

 private:
  std::unique_ptr<infer::WireSegmenter> segmenter_;
  float threshold_;
  std::vector<float> probability_;
};

class TrackFinder final : public Finder {
 public:
  explicit TrackFinder(std::unique_ptr<infer::WireTracker> tracker)
      : tracker_(std::move(tracker)) {}
  const infer::WireModelInfo& info() const override { return tracker_->info(); }
  void reset() override { tracker_->reset(); }
  Found find(const image::Frame& frame) override {
    auto result = tracker_->step(frame);
    Found found{.mask = std::move(result.mask)};
    if (result.tip) {
      const auto& [x, y] = result.tip->position;
      found.tip = {static_cast<double>(x), static_cast<double>(y)};
    }
    return found;
  }

 private:
  std::unique_ptr<infer::WireTracker> tracker_;
};

}  // namespace

std::unique_ptr<Finder> threshold_finder(std::unique_ptr<infer::WireSegmenter> segmenter,
                                         double threshold) {
  return std::make_unique<ThresholdFinder>(std::move(segmenter), threshold);
}

std::unique_ptr<Finder> track_finder(std::unique_ptr<infer::WireSegmenter> segmenter,
                                     const infer::WireTrackOptions& options) {
  return std::make_unique<TrackFinder>(infer::make_wire_tracker(std::move(segmenter), options));
}

image::Frame sample_frame(const dataset::Sample& sample,
                          std::vector<float> pixels,
                          int64_t width,
                          int64_t height,
                          bool bright) {
  if (sample.bright_object != bright) {
    for (float& v : pixels) v = 1.0F - v;
  }
  return {.width = width,
          .height = height,
          .number = sample.frame,
          .pixel_mm = sample.pixel_mm,
          .pixels = std::move(pixels)};
}

}  // namespace voxloom::recipes::wire
