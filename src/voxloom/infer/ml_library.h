#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/cascade_options.h"
#include "voxloom/infer/filter_options.h"
#include "voxloom/infer/segment_train_options.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/infer/wire_segmenter.h"

namespace voxloom::infer {

/// What `voxloom model convert` is told.
struct ConvertOptions {
  std::filesystem::path checkpoint;  ///< Official .pt, .pth or .safetensors.
  std::filesystem::path output;      ///< Folder of the package to make.
  std::string variant = "auto";      ///< Name of a variant, or auto: from keys and file name.
  std::string licence;               ///< Recorded; empty: the known licence of the release.
  bool gate = true;                  ///< Measure bf16 masks against f32 and record the result.
  bool force = false;
};

/// What `voxloom model export` is told.
struct ExportOptions {
  std::string package;           ///< Folder or name.
  std::filesystem::path output;  ///< Folder for encoder.onnx, decoder.onnx.
  bool force = false;
};

/// The border to libvoxloom_ml.so: one table of functions. Nothing of libtorch crosses it.
/// Plain functions, so that the table is a constant.
struct MlApi {
  const char* build_id;
  std::unique_ptr<Segmenter> (*make_segmenter)(const std::string& package,
                                               const RuntimeOptions& runtime);
  /// Trains a package further on labelled volumes; `command_line` is noted in the run folder.
  /// Returns how the run ended.
  nlohmann::ordered_json (*segment_train)(const SegmentTrainOptions& options,
                                          const std::string& command_line,
                                          bool force,
                                          Progress& progress,
                                          const CancelToken& stop);
  /// Returns what was found and made, as JSON for the command's output.
  nlohmann::ordered_json (*convert_model)(const ConvertOptions& options, Progress& progress);
  nlohmann::ordered_json (*export_model)(const ExportOptions& options, Progress& progress);
  /// Whole-job benchmark on stand-in weights or a package, as JSON.
  nlohmann::ordered_json (*bench)(const std::string& name,
                                  const std::string& package,
                                  const RuntimeOptions& runtime,
                                  Progress& progress);
  std::unique_ptr<WireSegmenter> (*make_wire_segmenter)(const std::string& package,
                                                        const RuntimeOptions& runtime,
                                                        TestAugmentation augmentation);
  /// The architectures of wire networks: name, summary, reference, default options.
  nlohmann::ordered_json (*wire_architectures)();
  /// Trains into the run folder; `command_line` is noted there. Returns how the run ended.
  nlohmann::ordered_json (*wire_train)(const WireTrainOptions& options,
                                       const std::string& command_line,
                                       bool force,
                                       Progress& progress,
                                       const CancelToken& stop);
  nlohmann::ordered_json (*wire_eval)(const WireEvalOptions& options,
                                      Progress& progress,
                                      const CancelToken& stop);
  /// Calls `line` with one JSON object an image.
  nlohmann::ordered_json (*wire_predict)(const WirePredictOptions& options,
                                         const std::function<void(const std::string&)>& line,
                                         Progress& progress,
                                         const CancelToken& stop);
  /// Calls `line` with one JSON object a frame.
  nlohmann::ordered_json (*wire_track)(const WireTrackCommand& options,
                                       const std::function<void(const std::string&)>& line,
                                       Progress& progress,
                                       const CancelToken& stop);
  /// Joins a detector and a segmenter into one package; returns what was made.
  nlohmann::ordered_json (*wire_cascade)(const CascadeOptions& options);
  /// Measures filter chains on a set or a video; returns metrics.json.
  nlohmann::ordered_json (*wire_filters)(const FilterReportOptions& options,
                                         Progress& progress,
                                         const CancelToken& stop);
  /// Versions of libtorch and OpenVINO, instruction sets used: for `voxloom --version --verbose`.
  nlohmann::ordered_json (*describe)();
};

/// Opens libvoxloom_ml.so on first need (looked for beside libvoxloom.so). Throws kUnavailable
/// when it is absent or of another build. Thread-safe; stays open.
[[nodiscard]] const MlApi& ml_api();

/// The id that both libraries of one build carry.
[[nodiscard]] const char* build_id();

}  // namespace voxloom::infer
