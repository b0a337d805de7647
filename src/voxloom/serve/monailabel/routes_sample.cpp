// POST /activelearning/{strategy}: which image comes next.
#include "voxloom/serve/monailabel/services.h"
#include "voxloom/serve/sampling/sampler.h"

namespace voxloom::serve {
namespace {

using http::Request;
using http::Response;

/// Makes the sample, and the unlabelled images after it, ready while the annotator looks at it.
void make_ready(Services& services, const std::string& first, const std::string& client) {
  const std::vector<std::string> ids = services.store->image_ids();
  const auto place = std::find(ids.begin(), ids.end(), first);
  int64_t left = services.prefetch_images + 1;
  for (auto it = place; it != ids.end() && left > 0; ++it) {
    const auto record = services.store->find(*it);
    if (!record || (record->completed() && *it != first)) continue;
    InferTask task = datastore_task(services, *it);
    task.client = client;
    task.model = services.infer->models().front().name;
    services.infer->prefetch(task);
    --left;
  }
}

Response next_sample(Services& services, Request& request) {
  const Json body = request.json_object();
  const std::string client = client_of(request, body);
  const auto checksum = [&](const std::string& id, const std::filesystem::path&) {
    const std::string sum = services.checksum ? services.checksum(id) : "";
    return sum.empty() ? std::nullopt : std::optional(sum);
  };
  Json sample = services.sampler->next_sample(*services.store,
                                              request.path_values.at("strategy"),
                                              body,
                                              client,
                                              checksum,
                                              request.disconnected);
  if (sample.empty()) return Response::json(sample);
  const std::string id = sample.at("id").get<std::string>();
  const std::filesystem::path file = image_file(services, id, request.disconnected);
  sample["path"] = std::filesystem::absolute(file).string();
  // Slicer finds the reader by the name.
  if (services.store->find(id).value_or(ImageRecord{}).ext.empty()) {
    sample["name"] = file.filename().string();
  }
  if (services.allow_image) services.allow_image(request.remote_address, id);
  if (services.prefetch_images >= 0) make_ready(services, id, client);
  return Response::json(sample);
}

}  // namespace

std::vector<http::Route> sample_routes(Services& services) {
  http::RouteList routes;
  routes.add(
      "POST",
      "/activelearning/{strategy}",
      "user",
      "The image to label next; {} when none is left.",
      {{http::Param::In::kJson, "client_id", "Who asks.", false, {}}},
      [&services](Request& request) { return next_sample(services, request); },
      http::Work::kLong);  // a DICOM series may have to be fetched or converted first
  return routes.take();
}

}  // namespace voxloom::serve
