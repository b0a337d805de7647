#pragma once

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/progress.h"
#include "voxloom/infer/ml_library.h"

namespace voxloom::infer_ml {

/// `voxloom model convert`: an official checkpoint becomes a model package. The architecture is
/// found from the keys; all missing, unexpected and misshapen keys are reported in one
/// kDataCorrupt. Returns variant, folder, fingerprints and the bf16 gate.
[[nodiscard]] nlohmann::ordered_json convert_model(const infer::ConvertOptions& options,
                                                   Progress& progress);

/// `voxloom model export --onnx`.
[[nodiscard]] nlohmann::ordered_json export_model(const infer::ExportOptions& options,
                                                  Progress& progress);

}  // namespace voxloom::infer_ml
