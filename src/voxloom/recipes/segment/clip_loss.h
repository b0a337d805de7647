#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "voxloom/core/random.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/recipes/segment/clip.h"
#include "voxloom/recipes/segment/losses.h"
#include "voxloom/recipes/segment/prompts.h"

namespace voxloom::recipes::segment {

/// The loss of a clip: its parts summed over slices and answers (the first one and one after every
/// correcting click), with gradient.
struct ClipLoss {
  at::Tensor total;
  MaskLossParts parts;
  int64_t answers = 0;  ///< That the loss looked at.
};

/// Follows the objects of a clip through its slices as the tracker does, but with gradients and all
/// objects at once, and measures every answer (Ravi et al. 2024, section 4 and appendix).
///
/// Prompted slices come first and read no memory; the others follow in order and read up to six
/// maps behind them, the maps of all prompted slices, and object pointers. Corrected slices count
/// as prompted from then on. Unlike in inference the memory sees soft masks of prompted slices too,
/// is not rounded to bfloat16, and pointers of prompted slices ahead are read as well. A mask
/// prompt is its own answer and has no loss.
///
/// The network is in training mode, or in eval mode for a loss without dropout. Called inside
/// autocast when that is on.
[[nodiscard]] ClipLoss clip_loss(models::sam2::Sam2& network,
                                 const Clip& clip,
                                 const PromptPlan& plan,
                                 const infer::PromptSimulationOptions& options,
                                 bool freeze_image_encoder,
                                 Rng& rng);

}  // namespace voxloom::recipes::segment
