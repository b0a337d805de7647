#pragma once

#include <vector>

#include "voxloom/infer/segment_train_options.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/train/task.h"

namespace voxloom::recipes::segment {

/// The trained parameters with their learning rates and weight decay: no decay for biases and the
/// factors of layer norms; the image encoder at its own rate, which block k of a trunk with B
/// blocks multiplies with layer_decay^(B - k), the patch embedding with layer_decay^(B + 1), and
/// the trunk's position maps and the neck not at all. Parameters that are not trained lose
/// requires_grad.
[[nodiscard]] std::vector<train::ParameterGroup> parameter_groups(
    models::sam2::Sam2& network, const infer::SegmentTrainOptions& options);

}  // namespace voxloom::recipes::segment
