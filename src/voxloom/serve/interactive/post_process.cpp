#include "voxloom/serve/interactive/post_process.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/statistics.h"

namespace voxloom::serve {
namespace {

Json centroid_text(const image::LabelStatistics& label) {
  Json item = Json::array({format("{}", label.value)});
  for (const double c : label.centroid_voxel) item.push_back(format("{}", std::llround(c)));
  return item;
}

}  // namespace

Json post_process(const ServedModel& model,
                  const PromptRequest& request,
                  infer::SegmentResult& result) {
  auto& names = result.labels.labels;
  names.clear();
  for (const auto& [name, value] : model.label_names.items()) {
    names.push_back({value.get<uint16_t>(), name});
  }
  Json centroids = Json::object();
  for (const auto& label : image::label_statistics(result.labels)) {
    VOXLOOM_CHECK(!label.name.empty(),
                  ErrorCode::kInternal,
                  "model '{}': the label map must hold values of its labels, got {}",
                  model.name,
                  label.value);
    centroids[format("label_{}", label.value)] = centroid_text(label);
  }

  Json params;
  params["label_names"] = model.label_names;
  params["centroids"] = std::move(centroids);
  params["model"] = model.name;
  if (!request.error.empty()) params["error"] = request.error;
  const auto& report = result.report;
  if (!report.engine.empty()) {
    params["engine"] = report.engine;
    params["precision"] = report.precision;
    params["device"] = report.device;
  }
  params["slices_encoded"] = report.slices_encoded;
  params["slices_tracked"] = report.slices_tracked;
  Json notes = request.notes;
  for (const auto& note : report.notes) notes.push_back(note);
  if (!request.device.empty() && !report.device.empty() && request.device != report.device) {
    notes.push_back("the device is the server's choice: " + report.device);
  }
  params["notes"] = std::move(notes);
  return params;
}

}  // namespace voxloom::serve
