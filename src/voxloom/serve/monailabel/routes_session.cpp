// /session/*: images that are not in the datastore, kept for a while.
#include "voxloom/serve/datastore/session_store.h"
#include "voxloom/serve/monailabel/services.h"

namespace voxloom::serve {
namespace {

using http::Param;
using http::Request;
using http::Response;

Response not_found(const std::string& id) {
  return Response::error(404, "Session (" + id + ") Not Found");
}

Response create(Services& services, Request& request) {
  std::vector<SessionFile> files;
  for (const http::UploadedFile& file : request.files) {
    if (file.field == "files") files.push_back({file.path, file.filename});
  }
  if (files.empty()) throw http::HttpError(422, "form field 'files': a file must be given");
  int64_t expiry = 0;
  try {
    expiry = std::stoll(request.query_value("expiry", "0"));
  } catch (const std::exception&) {
    throw http::HttpError(422, "expiry: must be a number of seconds");
  }
  const Session session =
      services.sessions->create(files, request.query_flag("uncompress", false), expiry);
  return Response::json({{"session_id", session.id}, {"session_info", session.info()}});
}

Response get(Services& services, Request& request) {
  const std::string& id = request.path_values.at("session_id");
  const auto session = services.sessions->find(id, request.query_flag("update_ts", false));
  if (!session) return not_found(id);
  if (!request.query_flag("image", false)) return Response::json(session->info());
  Response response = Response::download(session->image, session->image.filename().string());
  return response;
}

Response remove(Services& services, Request& request) {
  const auto session = services.sessions->remove(request.path_values.at("session_id"));
  if (!session) return Response::error(404, "Session Not Found");
  return Response::json(session->info());
}

}  // namespace

std::vector<http::Route> session_routes(Services& services) {
  std::vector<http::Route> routes(3);
  routes[0].method = "PUT";
  routes[0].pattern = "/session/";
  routes[0].summary = "Upload an image for a session.";
  routes[0].params = {
      {Param::In::kFile, "files", "The image; several files of a series.", true, {}},
      {Param::In::kQuery, "uncompress", "Unpack a zip archive.", false, {}},
      {Param::In::kQuery, "expiry", "Seconds without use until it goes.", false, {}}};
  routes[0].handler = [&services](Request& request) { return create(services, request); };
  routes[1].method = "GET";
  routes[1].pattern = "/session/{session_id}";
  routes[1].summary = "A session, or its image.";
  routes[1].params = {{Param::In::kQuery, "update_ts", "Count as a use.", false, {}},
                      {Param::In::kQuery, "image", "The file instead.", false, {}}};
  routes[1].handler = [&services](Request& request) { return get(services, request); };
  routes[2].method = "DELETE";
  routes[2].pattern = "/session/{session_id}";
  routes[2].summary = "End a session.";
  routes[2].handler = [&services](Request& request) { return remove(services, request); };
  for (http::Route& route : routes) route.role = "user";
  return routes;
}

}  // namespace voxloom::serve
