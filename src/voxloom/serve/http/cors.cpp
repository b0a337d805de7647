#include "voxloom/serve/http/cors.h"

#include <algorithm>

namespace voxloom::serve::http {

bool origin_allowed(std::string_view origin, const std::vector<std::string>& allowed) {
  if (allowed.empty()) return true;
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& entry) {
    return entry == "*" || entry == origin;
  });
}

void add_cors(const Request& request, const std::vector<std::string>& allowed, Response& response) {
  const auto vary = response.headers.find("vary");
  response.headers.set("vary", vary ? std::string(*vary) + ", Origin" : "Origin");
  const auto origin = request.headers.find("origin");
  if (!origin || !origin_allowed(*origin, allowed)) return;
  response.headers.set("access-control-allow-origin", std::string(*origin));
  response.headers.set("access-control-allow-credentials", "true");
}

bool is_preflight(const Request& request) {
  return request.method == "OPTIONS" && request.headers.find("origin") &&
         request.headers.find("access-control-request-method");
}

Response preflight(const Request& request, const std::vector<std::string>& allowed) {
  if (!origin_allowed(request.headers.find("origin").value_or(""), allowed)) {
    return Response::text("Disallowed CORS origin", 400);
  }
  Response response = Response::text("OK");
  response.headers.set("access-control-allow-methods",
                       "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  response.headers.set("access-control-max-age", "600");
  if (const auto wanted = request.headers.find("access-control-request-headers")) {
    response.headers.set("access-control-allow-headers", std::string(*wanted));
  }
  response.headers.set("vary", "Access-Control-Request-Headers");
  return response;
}

}  // namespace voxloom::serve::http
