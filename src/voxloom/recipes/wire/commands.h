#pragma once

#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/wire_options.h"

namespace voxloom::recipes::wire {

/// `voxloom wire train`: manifests in, run folder with model package out. Returns how the run ended
/// and the metrics of the best validation. Throws kCancelled after a checkpoint when `stop` is set.
[[nodiscard]] nlohmann::ordered_json train(const infer::WireTrainOptions& options,
                                           const std::string& command_line,
                                           bool force,
                                           Progress& progress,
                                           const CancelToken& stop);

/// `voxloom wire eval`: writes report.html and metrics.json; returns the latter without its cases.
[[nodiscard]] nlohmann::ordered_json evaluate(const infer::WireEvalOptions& options,
                                              Progress& progress,
                                              const CancelToken& stop);

/// `voxloom wire predict`: one JSON line an image to `line`; masks and pictures to the folder.
[[nodiscard]] nlohmann::ordered_json predict(const infer::WirePredictOptions& options,
                                             const std::function<void(const std::string&)>& line,
                                             Progress& progress,
                                             const CancelToken& stop);

}  // namespace voxloom::recipes::wire
