#pragma once

#include "voxloom/infer/segmenter.h"
#include "voxloom/serve/interactive/infer_service.h"
#include "voxloom/serve/interactive/read_prompts.h"

namespace voxloom::serve {

/// Stage 3 of an inference: makes the label map what the clients expect and describes it.
///
/// Values are those of model.labels (background 0 and invisible, the others contiguous), and the
/// map carries their names. Returns the JSON part of the answer: `label_names`, `centroids`
/// ({"label_1": ["1", "i", "j", "k"]}, the nearest voxel), `model`, `engine`, `precision`,
/// `device`, `slices_encoded`, `slices_tracked`, `notes` and, where there was one, `error`.
/// Throws kInternal when the map holds a value that the model does not have.
[[nodiscard]] Json post_process(const ServedModel& model,
                                const PromptRequest& request,
                                infer::SegmentResult& result);

}  // namespace voxloom::serve
