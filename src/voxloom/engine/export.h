#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/progress.h"
#include "voxloom/weights/package.h"

namespace voxloom::engine {

inline constexpr const char* kEncoderOnnx = "encoder.onnx";
inline constexpr const char* kDecoderOnnx = "decoder.onnx";
inline constexpr const char* kOnnxJson = "onnx.json";

/// Writes the image encoder and the prompt encoder with mask decoder of a SAM 2 family or SAM-Med2D
/// package as ONNX files (sam2_onnx.h, sam_med2d_onnx.h), and onnx.json: names, shapes and meaning
/// of every input and output, the preprocessing, and which weights they hold. Makes `folder` where
/// it does not exist.
///
/// Returns what onnx.json holds, with node counts and file sizes. Throws kUnsupported for other
/// architectures, kDataCorrupt naming all keys that don't fit, kAlreadyExists before anything is
/// written.
nlohmann::ordered_json export_onnx(const weights::Package& package,
                                   const std::filesystem::path& folder,
                                   Overwrite overwrite,
                                   Progress& progress);

}  // namespace voxloom::engine
