#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/dataset/fluoro_statistics.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// What `voxloom wire simulate` writes.
struct FluoroExport {
  FluoroOptions options;
  std::filesystem::path folder;  ///< Exists.
  std::string split = "train";   ///< train, val or test.
  int64_t sequences = 1, seed = 0;
  bool instances = false;  ///< Also instance/<sequence>/<frame>.png.
  Overwrite overwrite = Overwrite::kRefuse;
};

struct FluoroExportResult {
  std::vector<Sample> samples;  ///< In order of sequence and frame.
  FluoroCnrHistogram histogram;
  int64_t frames_with_wire = 0, frames_visible = 0;
};

/// Writes image/<sequence>/<frame>.png, label/<sequence>/<frame>.png (WireClass values) and
/// label/<sequence>/sequence.json for every sequence, several sequences at a time; then
/// manifest.jsonl, cnr_histogram.json and .png and contact_sheet.png. Throws kAlreadyExists,
/// kUnavailable (disk full, naming the file), kCancelled.
FluoroExportResult export_fluoro(const FluoroExport& job,
                                 Progress& progress,
                                 const CancelToken& stop);

/// Frame and labels side by side: wires green, catheters blue, other devices red, vessels violet,
/// centre line and tip marked.
[[nodiscard]] image::Canvas draw_overlay(const FluoroFrame& frame);
[[nodiscard]] image::Canvas draw_frame(const FluoroFrame& frame);

}  // namespace voxloom::dataset
