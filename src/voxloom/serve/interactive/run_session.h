#pragma once

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/serve/interactive/read_prompts.h"

namespace voxloom::serve {

/// Stage 2 of an inference: the session with the request's prompts and options.
/// Throws what SegmentSession does; after kInvalidArgument and kCancelled it is usable.
[[nodiscard]] infer::SegmentResult run_session(infer::SegmentSession& session,
                                               const PromptRequest& request,
                                               Progress& progress,
                                               const CancelToken& stop);

/// The answer to a request without objects: background everywhere.
[[nodiscard]] infer::SegmentResult blank_result(const image::Geometry& geometry);

}  // namespace voxloom::serve
