#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/segment_train_options.h"

namespace voxloom::recipes::segment {

/// Trains a package further on labelled volumes, into the run folder. Returns how it ended.
[[nodiscard]] nlohmann::ordered_json train(const infer::SegmentTrainOptions& options,
                                           const std::string& command_line,
                                           bool force,
                                           Progress& progress,
                                           const CancelToken& stop);

}  // namespace voxloom::recipes::segment
