#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/progress.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer_ml {

/// `voxloom bench NAME`: whole-job timings as JSON, medians of several runs. Without a package, a
/// full-size MedSAM2 network with generated stand-in weights is timed: speed does not depend on
/// their values. Throws kInvalidArgument for an unknown name.
[[nodiscard]] nlohmann::ordered_json bench(const std::string& name,
                                           const std::string& package,
                                           const infer::RuntimeOptions& runtime,
                                           Progress& progress);

}  // namespace voxloom::infer_ml
