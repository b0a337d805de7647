// POST /activelearning/{strategy}: which image comes next.
#include "voxloom/serve/monailabel/services.h"
#include "voxloom/serve/sampling/strategies.h"

namespace voxloom::serve {
namespace {

using http::Request;
using http::Response;

/// Makes the sample and the likely next ones ready while the annotator looks at the first.
void prefetch_from(Services& services, const std::string& first, const std::string& client) {
  const std::vector<ServedModel>& models = services.infer->models();
  if (models.empty()) return;
  std::vector<std::string> ids{first};
  for (const std::string& id : services.strategies->likely_next(*services.store, first)) {
    if (static_cast<int64_t>(ids.size()) > services.prefetch_images) break;
    ids.push_back(id);
  }
  for (const std::string& id : ids) {
    InferTask task = datastore_task(services, id);
    task.client = client;
    task.model = models.front().name;
    services.infer->prefetch(task);
  }
}

Response next_sample(Services& services, Request& request) {
  Json body = request.json_object();
  const std::string client = client_of(request, body);
  body["client_id"] = client;
  Json sample = services.strategies->next(
      request.path_values.at("strategy"), *services.store, body, request.disconnected);
  if (sample.empty()) return Response::json(sample);
  const std::string id = sample.at("id").get<std::string>();
  const auto record = services.store->find(id);
  VOXLOOM_CHECK(record, ErrorCode::kNotFound, "image '{}': went away meanwhile", id);
  const auto path = services.store->image_path(id, request.disconnected);
  sample["path"] = std::filesystem::absolute(path).string();
  if (!sample.contains("name")) sample["name"] = id + record->ext;
  if (const std::string sum = services.checksum ? services.checksum(id) : ""; !sum.empty()) {
    sample["checksum"] = sum;
  }
  if (services.allow_image) services.allow_image(request.remote_address, id);
  prefetch_from(services, id, client);
  return Response::json(sample);
}

}  // namespace

std::vector<http::Route> sample_routes(Services& services) {
  http::Route route;
  route.method = "POST";
  route.pattern = "/activelearning/{strategy}";
  route.role = "user";
  route.summary = "The image to label next; {} when none is left.";
  route.params = {{http::Param::In::kJson, "client_id", "Who asks.", false, {}}};
  route.handler = [&services](Request& request) { return next_sample(services, request); };
  return {std::move(route)};
}

}  // namespace voxloom::serve
