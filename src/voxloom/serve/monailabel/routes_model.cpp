// /model/*: the weights behind a served model.
#include <chrono>

#include "voxloom/core/child_process.h"
#include "voxloom/serve/monailabel/services.h"
#include "voxloom/weights/package.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using http::Request;
using http::Response;

/// The package of a served name; nothing for the built-in model, which has no weights, and where
/// the weights were put aside.
std::optional<weights::Package> package_of(Services& services, const Request& request) {
  const ServedModel* model = services.infer->find(request.path_values.at("model"));
  if (model == nullptr || model->package == "geodesic") return std::nullopt;
  try {
    return weights::find_package(model->package);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kNotFound) throw;
    return std::nullopt;
  }
}

Response no_weights(const Request& request) {
  return Response::error(404, "Model File NOT Found for " + request.path_values.at("model"));
}

Json describe(const weights::Package& package) {
  const auto time = fs::last_write_time(package.folder / weights::kWeightsFile);
  const auto since = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return {{"checksum", "SHA256:" + package.info.weights_sha256},
          {"modified_time", std::chrono::duration_cast<std::chrono::seconds>(since).count()}};
}

Response get(Services& services, const Request& request) {
  const auto package = package_of(services, request);
  if (!package) return no_weights(request);
  return Response::download(package->folder / weights::kWeightsFile,
                            request.path_values.at("model") + ".safetensors");
}

Response info(Services& services, const Request& request) {
  const auto package = package_of(services, request);
  return package ? Response::json(describe(*package)) : no_weights(request);
}

/// A checkpoint takes the place of the package, or of one that was put aside: converted and checked
/// by a child process, so that a bad file leaves the old weights where they are.
Response put(Services& services, const Request& request) {
  const ServedModel* model = services.infer->find_known(request.path_values.at("model"));
  if (model == nullptr || model->package == "geodesic") return no_weights(request);
  const http::UploadedFile* file = request.file("file");
  if (file == nullptr) throw http::HttpError(422, "form field 'file': a file must be given");
  const fs::path folder = fs::absolute(services.scratch);
  const fs::path named = folder / (format("model-{}-", request.id) + file->filename);
  fs::rename(file->path, named);
  std::string last;
  ChildOptions child;
  child.argv = {services.program.string(),
                "model",
                "convert",
                named.filename().string(),
                "--output",
                fs::absolute(model->package).string(),
                "--variant",
                model->variant,
                "--force",
                "--quiet"};
  child.folder = folder;  // so that its words name the file without our folders
  child.on_line = [&](ChildStream, std::string_view line) { last = std::string(line); };
  const ChildResult ended = run_child(child, request.disconnected);
  fs::remove(named);
  VOXLOOM_CHECK(ended.ok(), ErrorCode::kInvalidArgument, "model: {}", last);
  services.infer->renew_model(model->name);
  return Response::json(describe(weights::read_package(model->package)));
}

Response remove(Services& services, const Request& request) {
  const auto package = package_of(services, request);
  if (!package) return no_weights(request);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  fs::path away = package->folder;
  away += format(".{}.deleted", std::chrono::duration_cast<std::chrono::seconds>(now).count());
  fs::rename(package->folder, away);
  services.infer->withdraw_model(request.path_values.at("model"));
  return Response::json(Json::object());
}

}  // namespace

std::vector<http::Route> model_routes(Services& services) {
  http::RouteList routes;
  using Call = Response (*)(Services&, const Request&);
  const auto on = [&services](Call call) -> http::Handler {
    return [&services, call](Request& request) { return call(services, request); };
  };
  using http::Work;
  routes.add("GET", "/model/{model}", "admin", "The weights of a model.", {}, on(get), Work::kPool);
  routes.add("GET",
             "/model/info/{model}",
             "user",
             "Checksum and age of a model's weights.",
             {},
             on(info),
             Work::kPool);
  routes.add("PUT",
             "/model/{model}",
             "admin",
             "Replace a model's weights by a checkpoint, or bring them back.",
             {{http::Param::In::kFile, "file", "Checkpoint: .pt, .pth or .safetensors.", true, {}}},
             on(put),
             Work::kLong);
  routes.add("DELETE",
             "/model/{model}",
             "admin",
             "Put a model's weights aside: it is not served any more.",
             {},
             on(remove),
             Work::kPool);
  return routes.take();
}

}  // namespace voxloom::serve
