#include <algorithm>
#include <cmath>

#include "voxloom/filters/filter_chain.h"
#include "voxloom/recipes/wire/finder.h"

namespace voxloom::recipes::wire {
namespace {

class RidgeSegmenter final : public infer::WireSegmenter {
 public:
  RidgeSegmenter()
      : info_{.name = infer::WireEvalOptions::kRidgeModel,
              .architecture = "none",
              .engine = "filter",
              .precision = "f32"} {
    options_.steps.emplace_back(infer::FrangiOptions{});
  }
  const infer::WireModelInfo& info() const override { return info_; }
  void segment(const image::Frame& frame, std::vector<float>& probability) override {
    // A chain of its own a frame: nothing of the frame before, not even its field of view.
    filters::FilterChain chain(options_);
    probability = std::move(chain.step(frame).channels.front().pixels);
  }

 private:
  infer::WireModelInfo info_;
  infer::FilterChainOptions options_;
};

constexpr size_t kLevels = 512;

}  // namespace

std::unique_ptr<infer::WireSegmenter> ridge_segmenter() {
  return std::make_unique<RidgeSegmenter>();
}

double best_threshold(const std::vector<dataset::Sample>& samples,
                      const ObjectClasses& classes,
                      infer::WireSegmenter& segmenter,
                      Progress& progress,
                      const CancelToken& stop) {
  // Histograms of the response, so that every threshold is seen in one pass.
  std::vector<double> object(kLevels), other(kLevels);
  std::vector<float> response;
  progress.begin("look for the threshold", static_cast<int64_t>(samples.size()));
  for (const auto& sample : samples) {
    stop.check();
    segmenter.reset();
    auto labelled = dataset::load_sample(sample);
    const auto truth = object_mask(labelled.mask, classes);
    segmenter.segment(sample_frame(sample,
                                   std::move(labelled.image),
                                   labelled.width,
                                   labelled.height,
                                   segmenter.info().bright_object),
                      response);
    for (size_t i = 0; i < response.size(); ++i) {
      if (truth.ignore[i] != 0) continue;
      const auto level = static_cast<size_t>(std::clamp(response[i], 0.0F, 1.0F) *
                                             static_cast<float>(kLevels - 1));
      (truth.object[i] != 0 ? object : other)[level] += 1.0;
    }
    progress.advance(1);
  }
  progress.end();
  double all = 0.0;
  for (const double n : object) all += n;
  double both = 0.0, wrong = 0.0, highest = -1.0;
  size_t best = kLevels - 1;
  for (size_t level = kLevels; level-- > 1;) {
    both += object[level];
    wrong += other[level];
    const double dice = 2.0 * both / std::max(1.0, all + both + wrong);
    if (dice > highest) {
      highest = dice;
      best = level;
    }
  }
  // Just below the level: find() asks for more than the threshold.
  return std::nextafter(static_cast<float>(best) / static_cast<float>(kLevels - 1), 0.0F);
}

}  // namespace voxloom::recipes::wire
