// GET/PUT/DELETE /datastore/*: images and labels, as MONAI Label 0.8.5 names them.
#include "voxloom/serve/datastore/dataset_zip.h"
#include "voxloom/serve/monailabel/services.h"

namespace voxloom::serve {
namespace {

using http::Param;
using http::Request;
using http::Response;
using http::Route;

const Param kImage{Param::In::kQuery, "image", "Image id.", true, {}};
const Param kLabel{Param::In::kQuery, "label", "Label id: that of its image.", true, {}};
const Param kId{Param::In::kQuery, "id", "Image id.", true, {}};
const Param kTag{Param::In::kQuery, "tag", "Label tag: final, original, ...", false, {}};
const Param kInfo{Param::In::kForm, "info", "JSON object to merge.", false, {}};
const Param kParams{Param::In::kForm, "params", "JSON object kept as the entry's info.", false, {}};

Json stats_json(const DatastoreStats& stats) {
  Json tags = Json::object();
  for (const auto& [tag, count] : stats.label_tags) tags[tag] = count;
  return {{"total", stats.total}, {"completed", stats.completed}, {"label_tags", tags}};
}

std::string tag_of(const Request& request) {
  return request.query_value("tag", kFinalTag);
}

/// Sent by its present name, with the image's id as the name to save it under.
Response file_answer(const std::filesystem::path& path, const std::string& name) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Response::error(404, "Image NOT Found or is a directory");
  }
  return Response::download(path, name);
}

class DatastoreRoutes {
 public:
  explicit DatastoreRoutes(Services& services) : services_(services), store_(*services.store) {}

  Response document(Request& request) {
    const std::string output = request.query_value("output", "stats");
    if (output == "all") return Response::json(store_.document());
    if (output == "train") return Response::json(training_pairs(request.disconnected));
    return Response::json(stats_json(store_.stats()));
  }

  Response put_image(Request& request) {
    const http::UploadedFile& file = uploaded(request, "file");
    Json info = json_field(request, "params");
    info["user"] = request.principal.name;
    const std::string id =
        store_.add_image(file.path, request.query_value("image"), file.filename, info);
    return Response::json({{"image", id}});
  }

  Response remove_image(Request& request) {
    store_.remove_image(request.query_value("id"));
    return Response::json(Json::object());
  }

  Response has_image(Request& request) {
    const auto record = store_.find(request.query_value("image"));
    if (!record) return Response::error(404, "Image NOT Found");
    std::string wanted = request.query_value("check_sum");
    if (wanted.empty()) return Response::text("");
    if (wanted.find(':') == std::string::npos) wanted = "SHA256:" + wanted;
    const bool equal = services_.checksum && services_.checksum(record->id) == wanted;
    return equal ? Response::text("") : Response::error(404, "Image NOT Found");
  }

  Response get_image(Request& request) {
    const auto record = store_.find(request.query_value("image"));
    if (!record) return Response::error(404, "Image NOT Found or is a directory");
    const auto path = image_file(services_, record->id, request.disconnected);
    return file_answer(path,
                       record->ext.empty() ? path.filename().string() : record->id + record->ext);
  }

  Response image_info(Request& request) {
    const auto record = store_.find(request.query_value("image"));
    if (!record) return Response::json(Json::object());
    Json info = record->info;
    info["path"] = store_.image_path(record->id, request.disconnected).string();
    return Response::json(info);
  }

  Response put_image_info(Request& request) {
    Json info = json_field(request, "info");
    info["user"] = request.principal.name;
    store_.update_image_info(request.query_value("image"), info);
    return Response::json(nullptr);
  }

  Response put_label(Request& request) {
    const std::string id = request.query_value("image");
    const http::UploadedFile& file = uploaded(request, "label");
    Json info = json_field(request, "params");
    store_.save_label(id, tag_of(request), file.path, file.filename, info);
    return Response::json({{"image", id}, {"label", id}});
  }

  Response remove_label(Request& request) {
    store_.remove_label(request.query_value("id"), request.query_value("tag"));
    return Response::json(Json::object());
  }

  /// HEAD names the image, GET the label: the protocol's own inconsistency.
  Response has_label(Request& request) {
    const auto record = store_.find(request.query_value("image", request.query_value("label")));
    const bool there = record && record->label(tag_of(request)) != nullptr;
    return there ? Response::text("") : Response::error(404, "Label NOT Found");
  }

  Response get_label(Request& request) {
    const auto record = store_.find(request.query_value("label"));
    const LabelRecord* label = record ? record->label(tag_of(request)) : nullptr;
    if (label == nullptr) return Response::error(404, "Label NOT Found or is a directory");
    return file_answer(store_.label_path(record->id, label->tag), record->id + label->ext);
  }

  Response label_info(Request& request) {
    const auto record = store_.find(request.query_value("label"));
    const LabelRecord* label = record ? record->label(tag_of(request)) : nullptr;
    return Response::json(label == nullptr ? Json::object() : label->info);
  }

  Response put_label_info(Request& request, std::string_view field) {
    store_.update_label_info(
        request.query_value("label"), tag_of(request), json_field(request, field));
    return Response::json(nullptr);
  }

  Response dataset(Request& request) {
    const int64_t cases = query_number(request, "limit_cases", 0);
    const auto path = services_.scratch / format("dataset-{}.zip", request.id);
    static_cast<void>(write_dataset_zip(store_, cases, path, request.disconnected));
    Response response = Response::download(path, "dataset.zip");
    response.file->remove_after = true;
    return response;
  }

 private:
  static const http::UploadedFile& uploaded(const Request& request, std::string_view field) {
    const http::UploadedFile* file = request.file(field);
    if (file == nullptr) {
      throw http::HttpError(422, format("form field '{}': a file must be given", field));
    }
    return *file;
  }

  Json training_pairs(const CancelToken& stop) {
    Json pairs = Json::array();
    for (const std::string& id : store_.image_ids()) {
      const auto record = store_.find(id);
      if (!record || !record->completed()) continue;
      pairs.push_back({{"image", store_.image_path(id, stop).string()},
                       {"label", store_.label_path(id, kFinalTag).string()}});
    }
    return pairs;
  }

  Services& services_;
  Datastore& store_;
};

}  // namespace

std::vector<Route> datastore_routes(Services& services) {
  const auto self = std::make_shared<DatastoreRoutes>(services);
  using Method = Response (DatastoreRoutes::*)(Request&);
  http::RouteList routes;
  const auto call = [self](Method method) -> http::Handler {
    return [self, method](Request& request) { return ((*self).*method)(request); };
  };
  const Param output{Param::In::kQuery,
                     "output",
                     "Counts, the whole document, or the pairs for training.",
                     false,
                     {"stats", "all", "train"}};
  const Param new_id{Param::In::kQuery, "image", "Id; absent: from the file name.", false, {}};
  const Param file{Param::In::kFile, "file", "The image.", true, {}};
  const Param label_file{Param::In::kFile, "label", "The label map.", true, {}};
  const Param check_sum{
      Param::In::kQuery, "check_sum", "SHA256:<hex>, or the hex alone.", false, {}};
  const Param label_or_image{Param::In::kQuery, "image", "Image id.", false, {}};

  routes.add("GET",
             "/datastore/",
             "user",
             "Images and labels.",
             {output},
             call(&DatastoreRoutes::document));
  for (const char* pattern : {"/datastore/image", "/datastore/"}) {
    routes.add("PUT",
               pattern,
               "annotator",
               "Add an image.",
               {new_id, kParams, file},
               call(&DatastoreRoutes::put_image));
    routes.add("DELETE",
               pattern,
               "admin",
               "Remove an image.",
               {kId},
               call(&DatastoreRoutes::remove_image));
  }
  routes.add("HEAD",
             "/datastore/image",
             "user",
             "Is the image there?",
             {kImage, check_sum},
             call(&DatastoreRoutes::has_image));
  routes.add("GET",
             "/datastore/image",
             "user",
             "The image's file.",
             {kImage},
             call(&DatastoreRoutes::get_image));
  routes.add("GET",
             "/datastore/image/info",
             "user",
             "What is known about an image.",
             {kImage},
             call(&DatastoreRoutes::image_info));
  routes.add("PUT",
             "/datastore/image/info",
             "annotator",
             "Add to what is known.",
             {kImage, kInfo},
             call(&DatastoreRoutes::put_image_info));
  routes.add("PUT",
             "/datastore/label",
             "annotator",
             "Save a label.",
             {kImage, kTag, kParams, label_file},
             call(&DatastoreRoutes::put_label));
  routes.add("DELETE",
             "/datastore/label",
             "admin",
             "Remove a label.",
             {kId, kTag},
             call(&DatastoreRoutes::remove_label));
  routes.add("HEAD",
             "/datastore/label",
             "user",
             "Is the label there?",
             {label_or_image, kTag},
             call(&DatastoreRoutes::has_label));
  routes.add("GET",
             "/datastore/label",
             "user",
             "The label's file.",
             {kLabel, kTag},
             call(&DatastoreRoutes::get_label));
  routes.add("GET",
             "/datastore/label/info",
             "user",
             "What is known about a label.",
             {kLabel, kTag},
             call(&DatastoreRoutes::label_info));
  const auto merge = [&](const char* pattern, const char* field, const Param& param) {
    routes.add("PUT",
               pattern,
               "annotator",
               "Add to what is known about a label.",
               {kLabel, kTag, param},
               [self, field](Request& request) { return self->put_label_info(request, field); });
  };
  merge("/datastore/label/info", "info", kInfo);
  merge("/datastore/updatelabelinfo", "params", kParams);
  routes.add("GET",
             "/datastore/dataset",
             "annotator",
             "Images with final labels, as a zip.",
             {{Param::In::kQuery, "limit_cases", "At most so many.", false, {}}},
             call(&DatastoreRoutes::dataset));
  return routes.take();
}

}  // namespace voxloom::serve
