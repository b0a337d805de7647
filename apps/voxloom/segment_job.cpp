#include "segment_job.h"

#include <chrono>
#include <iostream>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/image/statistics.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer/preview.h"
#include "voxloom/infer/prompt_json.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/weights/package_kind.h"

namespace voxloom::app {
namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::ordered_json;

/// Without DICOM the suffix is one of an unknown format, which is said before the job starts.
bool is_dicom_output(const std::filesystem::path& path) {
  return VOXLOOM_HAS_DICOM != 0 && path.extension() == ".dcm";
}

void check_outputs(const SegmentJob& job, Overwrite overwrite) {
  if (!is_dicom_output(job.output)) io::check_writable_format(job.output);
  check_output(job.output, overwrite);
  check_output(sidecar_path(job.output), overwrite);
  if (job.preview.empty()) return;
  VOXLOOM_CHECK(job.preview.extension() == ".png",
                ErrorCode::kInvalidArgument,
                "--preview '{}': must end in .png",
                job.preview.string());
  check_output(job.preview, overwrite);
}

void write_result(const SegmentJob& job, const infer::SegmentResult& result, Overwrite overwrite) {
  if (is_dicom_output(job.output)) {
    io::write_dicom_seg(result.labels,
                        job.image,
                        job.series,
                        job.output,
                        overwrite,
                        {.algorithm_name = "voxloom " + result.report.model});
    return;
  }
  io::write_labels(result.labels, job.output, overwrite);
}

ordered_json labels_json(const image::LabelVolume& labels) {
  ordered_json list = ordered_json::array();
  for (const auto& row : image::label_statistics(labels)) {
    ordered_json item;
    item["value"] = row.value;
    for (const auto& label : labels.labels) {
      if (label.value == row.value) item["name"] = label.name;
    }
    item["voxels"] = row.voxels;
    item["volume_ml"] = row.volume_ml;
    item["box"] = {row.box_min, row.box_max};
    item["centroid_mm"] = row.centroid_mm;
    list.push_back(std::move(item));
  }
  return list;
}

ordered_json options_json(const SegmentJob& job) {
  infer::SegmentOptions options = job.options;
  OptionList list;
  options.visit(list);
  return list.to_json();
}

}  // namespace

std::string resolve_model(const std::string& model) {
  if (model != "auto") return model;
  for (const auto& package : weights::list_packages()) {
    if (package.info.task == "segment" && !weights::segments_single_slices(package.info)) {
      return package.folder.string();
    }
  }
  return "geodesic";
}

std::filesystem::path sidecar_path(const std::filesystem::path& label) {
  std::filesystem::path path = label;
  if (path.extension() == ".gz") path.replace_extension();
  return path.replace_extension(".json");
}

ordered_json run_segment_job(
    const SegmentJob& job,
    const std::function<std::vector<infer::ObjectPrompt>(const image::Geometry&)>& read_prompts,
    Context& context) {
  const auto overwrite = context.common.force ? Overwrite::kReplace : Overwrite::kRefuse;
  check_outputs(job, overwrite);

  const auto start = Clock::now();
  std::shared_ptr<image::VolumeSource> volume = io::open_volume(job.image, job.series);
  const auto prompts = read_prompts(volume->geometry());
  const auto opened = Clock::now();
  const auto segmenter = infer::make_segmenter(resolve_model(job.model), job.runtime);
  const auto loaded = Clock::now();
  const auto session = segmenter->open(volume);
  session->set_prompts(prompts);
  const infer::SegmentResult result = session->run(job.options, *context.progress, context.stop);
  const auto done = Clock::now();

  write_result(job, result, overwrite);
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };

  ordered_json sidecar;
  sidecar["label"] = job.output.string();
  sidecar["image"] = job.image;
  sidecar["voxloom"] = infer::build_id();
  sidecar["model"] = result.report.model;
  sidecar["engine"] = result.report.engine;
  sidecar["precision"] = result.report.precision;
  sidecar["device"] = result.report.device;
  sidecar["threads"] = thread_budget();
  sidecar["size"] = volume->geometry().size;
  sidecar["spacing_mm"] = volume->geometry().spacing_mm;
  sidecar["options"] = options_json(job);
  sidecar["prompts"] = infer::prompts_to_json(prompts, volume->geometry());
  sidecar["labels"] = labels_json(result.labels);
  sidecar["slices_encoded"] = result.report.slices_encoded;
  sidecar["slices_tracked"] = result.report.slices_tracked;
  ordered_json times;
  times["open_volume"] = seconds(opened - start);
  times["load_model"] = seconds(loaded - opened);
  for (const auto& [stage, value] : result.report.times_s) times[stage] = value;
  times["segment"] = seconds(done - loaded);
  times["total"] = seconds(Clock::now() - start);
  sidecar["times_s"] = times;
  sidecar["notes"] = result.report.notes;

  if (!job.preview.empty()) {
    infer::write_preview(*volume, result.labels, prompts, job.options, job.preview, overwrite);
    sidecar["preview"] = job.preview.string();
  }
  AtomicFile file(sidecar_path(job.output), overwrite);
  file.write(sidecar.dump(2) + "\n");
  file.commit();

  *context.out << job.output.string() << "\n" << sidecar_path(job.output).string() << "\n";
  if (!job.preview.empty()) *context.out << job.preview.string() << "\n";
  if (!context.common.quiet) {
    for (const auto& label : sidecar["labels"]) {
      std::cerr << format("{:<20} value {}: {} voxels, {:.2f} ml\n",
                          label.value("name", std::string("label")),
                          label["value"].get<int>(),
                          label["voxels"].get<int64_t>(),
                          label["volume_ml"].get<double>());
    }
    for (const auto& note : result.report.notes) std::cerr << "note: " << note << "\n";
  }
  return sidecar;
}

}  // namespace voxloom::app
