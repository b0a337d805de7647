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
  http::RouteList routes;
  routes.add("PUT",
             "/session/",
             "user",
             "Upload an image for a session.",
             {{Param::In::kFile, "files", "The image; several files of a series.", true, {}},
              {Param::In::kQuery, "uncompress", "Unpack a zip archive.", false, {}},
              {Param::In::kQuery, "expiry", "Seconds without use until it goes.", false, {}}},
             [&sessions](Request& request) { return create(sessions, request); });
  routes.add("GET",
             "/session/{session_id}",
             "user",
             "A session, or its image.",
             {{Param::In::kQuery, "update_ts", "Count as a use.", false, {}},
              {Param::In::kQuery, "image", "The file instead.", false, {}}},
             [&sessions](Request& request) { return get(sessions, request); });
  routes.add("DELETE",
             "/session/{session_id}",
             "user",
             "End a session.",
             {},
             [&sessions](Request& request) { return remove(sessions, request); });
  return routes.take();
}

}  // namespace voxloom::serve
