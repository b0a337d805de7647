#pragma once

#include <memory>
#include <optional>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/serve/sampling/image_scores.h"

namespace voxloom::serve {

/// How a model is run for the scores of an image.
struct ScoreRun {
  infer::SegmentOptions options;  ///< `scores` and `components` are set here.
  /// Two flat boxes instead of one with depth, so that forward and backward passes visit the same
  /// slices and can disagree. For networks; `geodesic` has no passes.
  bool two_ended = true;
  /// Another model whose answer is compared when the first one has no two passes. With null the
  /// same model is asked in another way: with the dilated box, and without smoothing.
  std::shared_ptr<infer::Segmenter> second;
};

/// What suits the built-in "geodesic" and networks.
[[nodiscard]] ScoreRun score_run_for(const infer::Segmenter& model);

/// Prompts a model with one box and returns its scores; nothing when it finds no object. Where the
/// report has no disagreement it is 1 - Dice of this answer and a second one (see ScoreRun).
/// Throws what segmentation throws, kCancelled.
[[nodiscard]] std::optional<ImageScores> score_with_model(
    infer::Segmenter& model,
    const std::shared_ptr<image::VolumeSource>& volume,
    const infer::BoxPrompt& box,
    const ScoreRun& run,
    const CancelToken& stop);

}  // namespace voxloom::serve
