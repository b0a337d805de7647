#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "voxloom/infer/prompt.h"
#include "voxloom/infer/segmenter.h"

#include "command.h"

namespace voxloom::app {

/// Everything `segment` and `demo` need to make one label file.
struct SegmentJob {
  std::string image;              ///< File or DICOM folder.
  std::string series;             ///< SeriesInstanceUID; empty: the only one.
  std::filesystem::path output;   ///< .nii.gz, .nrrd, .mha, .npz or .dcm (DICOM SEG).
  std::filesystem::path preview;  ///< PNG; empty: none.
  std::string model = "auto";
  infer::SegmentOptions options;
  infer::RuntimeOptions runtime;
};

/// The model that "auto" stands for: the first MedSAM2 package found, else "geodesic".
std::string resolve_model(const std::string& model);

/// label.nii.gz -> label.json
std::filesystem::path sidecar_path(const std::filesystem::path& label);

/// Runs the job: volume, session, label, sidecar, preview. Outputs appear together at the end.
/// `read_prompts` is called with the volume's geometry. Returns the sidecar's content.
nlohmann::ordered_json run_segment_job(
    const SegmentJob& job,
    const std::function<std::vector<infer::ObjectPrompt>(const image::Geometry&)>& read_prompts,
    Context& context);

}  // namespace voxloom::app
