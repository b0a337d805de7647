#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/core/random.h"
#include "voxloom/infer/segment_train_options.h"

namespace voxloom::recipes::segment {

/// What the simulated annotator does on which frame of a clip.
struct PromptPlan {
  bool points = false;                ///< Box or click first; else the mask.
  std::vector<int64_t> conditioning;  ///< Frames prompted at first; frame 0 leads.
  std::vector<bool> boxes;            ///< For each of them: a box, else one click.
  std::vector<int64_t> corrected;     ///< Frames that get correcting clicks.
};

/// Draws a plan for a clip of `frames` slices. A single slice is always prompted by box or click,
/// and corrected (when corrections are on).
[[nodiscard]] PromptPlan draw_prompt_plan(const infer::PromptSimulationOptions& options,
                                          int64_t frames,
                                          Rng& rng);

/// Points of N objects in pixels of the network's input: xy [N, P, 2] float32, labels [N, P]
/// int64 (models::sam2::PointLabel).
struct PromptPoints {
  at::Tensor xy, labels;

  /// These, then `more`.
  [[nodiscard]] PromptPoints with(const PromptPoints& more) const;
};

/// Boxes of the objects of masks [N, S, S], every side moved by a uniform share of `box_noise` of
/// the box, at most `box_noise_px`, and kept inside. An object that is not there gets a negative
/// click and a token that is no point instead.
[[nodiscard]] PromptPoints draw_boxes(const at::Tensor& masks,
                                      const infer::PromptSimulationOptions& options,
                                      Rng& rng);

/// One click for each object, uniform over the pixels that prediction [N, S, S] gets wrong
/// (undefined: an empty prediction): positive where it misses the object, negative where it adds.
/// Where nothing is wrong, a negative click on the background.
[[nodiscard]] PromptPoints draw_clicks(const at::Tensor& truth,
                                       const at::Tensor& prediction,
                                       Rng& rng);

}  // namespace voxloom::recipes::segment
