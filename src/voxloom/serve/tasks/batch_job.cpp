#include "voxloom/serve/tasks/batch_job.h"

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve {

using nlohmann::ordered_json;

ordered_json BatchRequest::to_json() const {
  ordered_json list = ordered_json::array();
  for (const BatchCase& item : cases) {
    list.push_back({{"id", item.id},
                    {"path", item.path.string()},
                    {"series_uid", item.series_uid},
                    {"extension", item.extension},
                    {"params", item.params}});
  }
  return {{"model", model},
          {"models", models},
          {"runtime", runtime},
          {"folder", folder.string()},
          {"cases", list}};
}

BatchRequest BatchRequest::from_json(const ordered_json& json) {
  try {
    BatchRequest request;
    request.model = json.at("model").get<std::string>();
    request.models = json.at("models").get<std::vector<std::string>>();
    request.runtime = json.at("runtime");
    request.folder = json.at("folder").get<std::string>();
    for (const ordered_json& item : json.at("cases")) {
      request.cases.push_back({item.at("id").get<std::string>(),
                               item.at("path").get<std::string>(),
                               item.at("series_uid").get<std::string>(),
                               item.at("extension").get<std::string>(),
                               item.at("params")});
    }
    return request;
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::kDataCorrupt, format("batch request: {}", e.what()));
  }
}

void run_batch(const BatchRequest& request,
               const CancelToken& stop,
               const std::function<void(const ordered_json&)>& report) {
  InferServiceOptions options;
  OptionList runtime;
  options.runtime.visit(runtime);
  runtime.read_json(request.runtime, "batch request");
  InferService service(served_models(request.models), options);
  const auto total = static_cast<double>(std::max<size_t>(request.cases.size(), 1));
  for (size_t i = 0; i < request.cases.size(); ++i) {
    stop.check();
    const BatchCase& item = request.cases[i];
    ordered_json line{{"case", item.id}};
    try {
      InferTask task;
      task.client = "batch";
      task.model = request.model;
      task.image_key = "image:" + item.id;
      task.image_extension = item.extension;
      task.params = item.params;
      task.result_folder = request.folder;
      task.stop = stop;
      task.open = [&item]() -> std::shared_ptr<image::VolumeSource> {
        return io::open_volume(item.path, item.series_uid);
      };
      const InferOutcome outcome = service.run(task);
      line["file"] = outcome.mask ? ordered_json(outcome.mask->string()) : ordered_json(nullptr);
      line["params"] = outcome.params;
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kCancelled) throw;
      line["error"] = e.what();
    }
    line["progress"] = static_cast<double>(i + 1) / total;
    // Without the image's name: it is kept with the job.
    line["message"] = format("case {} of {}: {}",
                             i + 1,
                             request.cases.size(),
                             line.contains("error") ? "failed" : "done");
    report(line);
  }
}

}  // namespace voxloom::serve
