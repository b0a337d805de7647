// POST /infer/{model}: the image and the prompts of one request to a mask and its JSON part.
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/session_store.h"
#include "voxloom/serve/http/multipart_writer.h"
#include "voxloom/serve/monailabel/services.h"
#include "voxloom/serve/monailabel/upload_cache.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using http::Param;
using http::Request;
using http::Response;

/// A file that goes away unless it is kept.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }
  fs::path keep() { return std::exchange(path_, fs::path()); }

 private:
  fs::path path_;
};

class InferRoute {
 public:
  explicit InferRoute(Services& services) : services_(services) {}

  Response operator()(Request& request) {
    const std::string output = request.query_value("output", "all");
    const std::string model = request.path_values.at("model");
    VOXLOOM_CHECK(services_.infer->find(model) != nullptr,
                  ErrorCode::kNotFound,
                  "model '{}': is not served; /info/ lists the models",
                  model);
    InferTask task;
    task.params = json_field(request, "params");
    // Inference is for users; what keeps its mask is a save, whatever the route.
    if (wants_saving(task) && !task.params.value("label_tag", Json(kOriginalTag)).is_string()) {
      throw http::HttpError(400, "params: label_tag must be text");
    }
    if (wants_saving(task) && !request.principal.has("annotator")) {
      throw http::HttpError(403, "Role \"annotator\" is required to perform this action");
    }
    const std::string image = choose_image(request, task);
    if (const auto* label = request.file("label")) task.label_file = label->path;
    task.model = model;
    task.client = client_of(request, task.params);
    task.stop = request.disconnected;
    task.result_folder = services_.scratch;
    if (output == "dicom_seg") task.params["result_extension"] = ".nii.gz";

    InferOutcome outcome = services_.infer->run(task);
    Temporary mask(outcome.mask.value_or(fs::path()));
    if (!image.empty() && outcome.mask) keep_prediction(task, image, mask.path(), outcome.params);
    if (output == "dicom_seg") return dicom_seg(request, task, image, mask.path());
    return answer(output, outcome, mask);
  }

 private:
  /// Fills task.open and image_key; returns the datastore id, or "" for an image of the client.
  std::string choose_image(Request& request, InferTask& task) {
    if (const http::UploadedFile* file = request.file("file"); file != nullptr) {
      // Equal bytes are the same image: MITK sends the volume again with every click.
      task.image_extension = image_suffix(file->filename, ".nii.gz");
      UploadCache::Image image = services_.uploads->keep(file->path, task.image_extension);
      task.image_key = std::move(image.key);
      task.open = std::move(image.open);
      return {};
    }
    if (const std::string id = request.query_value("session_id"); !id.empty()) {
      if (services_.sessions->get(id, /*touch=*/true)) {
        const fs::path path = services_.sessions->image_path(id);
        task.image_key = "session:" + id;
        task.image_extension = image_suffix(path.filename().string(), ".nii.gz");
        task.open = [path]() -> std::shared_ptr<image::VolumeSource> {
          return io::open_volume(path);
        };
        return {};
      }
    }
    std::string id = request.query_value("image");
    if (const auto given = task.params.find("image"); given != task.params.end()) {
      if (given->is_string()) id = given->get<std::string>();
    }
    if (id.empty()) {
      throw http::HttpError(400, "Neither Image nor File not Session ID input is provided");
    }
    Json params = std::move(task.params);
    task = datastore_task(services_, id, request.disconnected);
    task.params = std::move(params);
    return id;
  }

  static bool wants_saving(const InferTask& task) {
    const auto wanted = task.params.find("save_label");
    return wanted != task.params.end() && wanted->is_boolean() && wanted->get<bool>();
  }

  void keep_prediction(const InferTask& task,
                       const std::string& id,
                       const fs::path& mask,
                       const Json& params) {
    if (!wants_saving(task)) return;
    const std::string tag = task.params.value("label_tag", std::string(kOriginalTag));
    Temporary copy(services_.scratch / ("keep-" + mask.filename().string()));
    fs::copy_file(mask, copy.path());
    services_.store->save_label(id,
                                tag,
                                copy.path(),
                                mask.filename().string(),
                                {{"model", task.model}, {"params", params}});
  }

  Response dicom_seg(const Request& request,
                     const InferTask& task,
                     const std::string& id,
                     const fs::path& mask) {
    const auto record = id.empty() ? std::nullopt : services_.store->find(id);
    const fs::path source =
        record ? services_.store->image_path(id, request.disconnected) : fs::path();
    if (!record || !fs::is_directory(source)) {
      return Response::error(400, "DICOM SEG format is not supported in a non-DICOM datastore");
    }
    if (!task.params.contains("label_info")) {
      return Response::error(404, "Parameters for DICOM SEG inference cannot be empty!");
    }
    const fs::path path = services_.scratch / format("seg-{}.dcm", request.id);
    io::write_dicom_seg(io::read_labels(mask),
                        source,
                        record->info.value("SeriesInstanceUID", std::string()),
                        path,
                        Overwrite::kReplace,
                        {.algorithm_name = task.model});
    Response response = Response::download(path, id + ".dcm");
    response.file->remove_after = true;
    return response;
  }

  static Response answer(const std::string& output, const InferOutcome& outcome, Temporary& mask) {
    if (output == "json") return Response::json(outcome.params);
    if (output == "image") {
      if (!outcome.mask) return Response::error(404, "this request made no mask");
      Response response = Response::download(mask.path(), mask.path().filename().string());
      response.file->remove_after = true;
      mask.keep();
      return response;
    }
    // Without a mask the params part alone: Slicer's client can't take bare JSON.
    if (!outcome.mask) return http::multipart_params(outcome.params);
    Response response = http::multipart_params_and_file(
        outcome.params, mask.path().filename().string(), mask.path());
    response.file->remove_after = true;
    mask.keep();
    return response;
  }

  Services& services_;
};

}  // namespace

std::vector<http::Route> infer_routes(Services& services) {
  http::Route route;
  route.method = "POST";
  route.pattern = "/infer/{model}";
  route.role = "user";
  route.summary = "Run a model on an image with the prompts of `params`.";
  route.params = {
      {Param::In::kQuery, "image", "Image id.", false, {}},
      {Param::In::kQuery, "session_id", "Image of a session instead.", false, {}},
      {Param::In::kQuery,
       "output",
       "all: mask and JSON as multipart.",
       false,
       {"image", "json", "all", "dicom_seg"}},
      {Param::In::kForm, "params", "Options and prompts, a JSON object.", false, {}},
      {Param::In::kFile, "file", "An image instead of an id.", false, {}},
      {Param::In::kFile, "label", "Label map with scribbles.", false, {}},
  };
  route.work = http::Work::kLong;
  route.handler = [run = std::make_shared<InferRoute>(services)](Request& request) {
    return (*run)(request);
  };
  return {std::move(route)};
}

}  // namespace voxloom::serve
