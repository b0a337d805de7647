#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/infer/wire_segmenter.h"
#include "voxloom/metrics/tip.h"
#include "voxloom/recipes/wire/samples.h"

namespace voxloom::recipes::wire {

/// What is found in a frame.
struct Found {
  std::vector<uint8_t> mask;  ///< [height, width] 0 or 1.
  metrics::Tip tip;
};

/// Whatever `wire eval` measures: a network with a threshold, or with the tracker behind it, or the
/// ridge filter alone. Not thread-safe.
class Finder {
 public:
  virtual ~Finder() = default;
  [[nodiscard]] virtual const infer::WireModelInfo& info() const = 0;
  /// Before another sequence.
  virtual void reset() = 0;
  /// Frames with dark objects if info() says that the model was trained on such, in order.
  [[nodiscard]] virtual Found find(const image::Frame& frame) = 0;
};

/// Pixels above the threshold.
[[nodiscard]] std::unique_ptr<Finder> threshold_finder(
    std::unique_ptr<infer::WireSegmenter> segmenter, double threshold);

/// What the tracker saw of the wires, and the tip it shows (a predicted one included).
[[nodiscard]] std::unique_ptr<Finder> track_finder(std::unique_ptr<infer::WireSegmenter> segmenter,
                                                   const infer::WireTrackOptions& options);

/// The multi-scale ridge filter (guidewire.md 2.5) of each frame alone, in its field of view: what
/// a set's difficulty is told by. A filter response is no probability, so its threshold must be
/// looked for.
[[nodiscard]] std::unique_ptr<infer::WireSegmenter> ridge_segmenter();

/// The threshold with the highest Dice of all pixels of `samples` together: a baseline is shown at
/// its best, on the very images that measure it.
[[nodiscard]] double best_threshold(const std::vector<dataset::Sample>& samples,
                                    const ObjectClasses& classes,
                                    infer::WireSegmenter& segmenter,
                                    Progress& progress,
                                    const CancelToken& stop);

/// The frame of a sample, its objects dark unless `bright`.
[[nodiscard]] image::Frame sample_frame(const dataset::Sample& sample,
                                        std::vector<float> pixels,
                                        int64_t width,
                                        int64_t height,
                                        bool bright);

}  // namespace voxloom::recipes::wire
