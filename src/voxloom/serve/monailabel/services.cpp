#include "voxloom/serve/monailabel/services.h"

#include <charconv>

#include "voxloom/core/json_text.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/serve/datastore/open_image.h"
#include "voxloom/serve/datastore/volume_files.h"

namespace voxloom::serve {

std::string client_of(const http::Request& request, const Json& params) {
  const auto given = params.find("client_id");
  if (given != params.end() && given->is_string()) return given->get<std::string>();
  if (!request.principal.name.empty() && request.principal.name != "admin") {
    return request.principal.name;
  }
  return request.remote_address;
}

InferTask datastore_task(Services& services, const std::string& id, const CancelToken& stop) {
  const auto record = services.store->find(id);
  VOXLOOM_CHECK(record, ErrorCode::kNotFound, "image '{}': is not in the datastore", id);
  InferTask task;
  task.image_key = "image:" + id;
  task.image_extension = record->ext.empty() ? ".nii.gz" : record->ext;
  task.open = [store = services.store, id, stop] { return open_image(*store, id, stop); };
  task.result_folder = services.scratch;
  task.stop = stop;
  return task;
}

std::filesystem::path image_file(Services& services,
                                 const std::string& id,
                                 const CancelToken& stop) {
  const auto path = services.store->image_path(id, stop);
  if (!std::filesystem::is_directory(path)) return path;
  return services.volume_files->file_of(*services.store, id, stop);
}

int64_t query_number(const http::Request& request, std::string_view name, int64_t fallback) {
  const std::string text = request.query_value(name);
  if (text.empty()) return fallback;
  int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || value < 0) {
    throw http::HttpError(422, format("{}: must be a whole number of at least 0", name));
  }
  return value;
}

std::string image_suffix(const std::string& name, std::string_view fallback) {
  for (const char* suffix : {".nii.gz",
                             ".nii",
                             ".nrrd",
                             ".mha",
                             ".npz",
                             ".dcm",
                             ".png",
                             ".jpg",
                             ".jpeg",
                             ".tif",
                             ".tiff"}) {
    if (io::has_suffix(name, suffix)) return suffix;
  }
  return std::string(fallback);
}

Json json_field(const http::Request& request, std::string_view name) {
  const std::string text = request.form_value(name);
  if (text.empty()) return Json::object();
  Json value = parse_json(text, format("form field '{}'", name), ErrorCode::kInvalidArgument);
  VOXLOOM_CHECK(value.is_object(),
                ErrorCode::kInvalidArgument,
                "form field '{}': must be a JSON object",
                name);
  return value;
}

}  // namespace voxloom::serve
