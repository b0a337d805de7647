// /session/*: images that are not in the datastore, kept for a while.
#include "voxloom/serve/datastore/session_store.h"
#include "voxloom/serve/monailabel/services.h"

namespace voxloom::serve {
namespace {

using http::Param;
using http::Request;
using http::Response;

Response create(SessionStore& sessions, Request& request) {
  std::vector<SessionStore::Upload> files;
  for (const http::UploadedFile& file : request.files) {
    if (file.field == "files") files.push_back({file.path, file.filename});
  }
  const int64_t expiry = query_number(request, "expiry", 0);
  const Json info = sessions.create(files, request.query_flag("uncompress", false), expiry);
  return Response::json({{"session_id", info.at("name")}, {"session_info", info}});
}

Response get(SessionStore& sessions, Request& request) {
  const std::string& id = request.path_values.at("session_id");
  const auto info = sessions.get(id, request.query_flag("update_ts", false));
  if (!info) return Response::error(404, "Session (" + id + ") Not Found");
  if (!request.query_flag("image", false)) return Response::json(*info);
  const auto path = sessions.image_path(id);
  return Response::download(path, path.filename().string());
}

Response remove(SessionStore& sessions, Request& request) {
  const auto info = sessions.remove(request.path_values.at("session_id"));
  return info ? Response::json(*info) : Response::error(404, "Session Not Found");
}

}  // namespace

std::vector<http::Route> session_routes(Services& services) {
  SessionStore& sessions = *services.sessions;
  std::vector<http::Route> routes(3);
  routes[0].method = "PUT";
  routes[0].pattern = "/session/";
  routes[0].summary = "Upload an image for a session.";
  routes[0].params = {
      {Param::In::kFile, "files", "The image; several files of a series.", true, {}},
      {Param::In::kQuery, "uncompress", "Unpack a zip archive.", false, {}},
      {Param::In::kQuery, "expiry", "Seconds without use until it goes.", false, {}}};
  routes[0].handler = [&sessions](Request& request) { return create(sessions, request); };
  routes[1].method = "GET";
  routes[1].pattern = "/session/{session_id}";
  routes[1].summary = "A session, or its image.";
  routes[1].params = {{Param::In::kQuery, "update_ts", "Count as a use.", false, {}},
                      {Param::In::kQuery, "image", "The file instead.", false, {}}};
  routes[1].handler = [&sessions](Request& request) { return get(sessions, request); };
  routes[2].method = "DELETE";
  routes[2].pattern = "/session/{session_id}";
  routes[2].summary = "End a session.";
  routes[2].handler = [&sessions](Request& request) { return remove(sessions, request); };
  for (http::Route& route : routes) route.role = "user";
  return routes;
}

}  // namespace voxloom::serve
