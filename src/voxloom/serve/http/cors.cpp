#include "voxloom/serve/http/cors.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <unistd.h>

#include "voxloom/serve/http/text.h"

namespace voxloom::serve::http {
namespace {

/// "https://host:1" -> "host:1"; empty for what is no web page ("null", an extension).
std::string_view authority_of(std::string_view origin) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return origin.substr(scheme.size());
  }
  return {};
}

/// "host:1" -> "host", "[::1]:1" -> "::1", lower case; empty for anything else.
std::string name_of(std::string_view authority) {
  std::string_view name = authority.substr(0, authority.find(':'));
  std::string_view port = authority.substr(name.size());
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return {};
    name = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  }
  const bool numbers = port.find_first_not_of("0123456789", 1) == std::string_view::npos;
  if (!port.empty() && (port.front() != ':' || !numbers)) return {};
  return name.find('\0') == std::string_view::npos ? to_lower(name) : std::string();
}

bool is_localhost(std::string_view name) {
  return name == "localhost" || name.ends_with(".localhost");
}

bool is_loopback(const std::string& name) {
  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (::inet_pton(AF_INET6, name.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  return is_localhost(name);
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  return ::inet_pton(AF_INET, name.c_str(), parsed.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), parsed.data()) == 1;
}

/// This machine's own name, made once.
const std::string& machine_name() {
  static const std::string name = [] {
    std::array<char, 256> text{};
    if (::gethostname(text.data(), text.size() - 1) != 0) return std::string();
    return to_lower(text.data());
  }();
  return name;
}

bool every_origin(const ServerOptions& options) {
  const auto& origins = options.cors_origins;
  if (origins.empty()) return !options.cors_local;
  return std::find(origins.begin(), origins.end(), "*") != origins.end();
}

}  // namespace

bool origin_allowed(std::string_view origin, std::string_view host, const ServerOptions& options) {
  if (every_origin(options)) return true;
  const auto& origins = options.cors_origins;
  if (std::find(origins.begin(), origins.end(), origin) != origins.end()) return true;
  const std::string_view authority = authority_of(origin);
  if (authority.empty()) return false;
  if (equals_nocase(authority, host)) return true;  // the server's own pages
  return origins.empty() && is_loopback(name_of(authority));
}

bool page_allowed(const Request& request, const ServerOptions& options) {
  const std::string_view host = request.headers.find("host").value_or("");
  if (!host.empty() && options.loopback_names && !names_this_machine(host, options)) return false;
  const auto origin = request.headers.find("origin");
  return !origin || origin_allowed(*origin, host, options);
}

bool names_this_machine(std::string_view host, const ServerOptions& options) {
  if (every_origin(options)) return true;
  const std::string name = name_of(host);
  if (name.empty()) return false;
  if (is_localhost(name) || is_address(name)) return true;
  if (name == machine_name() || name == to_lower(options.host)) return true;
  return std::any_of(
      options.cors_origins.begin(), options.cors_origins.end(), [&](const std::string& origin) {
        return name_of(authority_of(origin)) == name;
      });
}

void add_cors(const Request& request, const ServerOptions& options, Response& response) {
  const auto vary = response.headers.find("vary");
  response.headers.set("vary", vary ? std::string(*vary) + ", Origin" : "Origin");
  const auto origin = request.headers.find("origin");
  if (!origin || !page_allowed(request, options)) return;
  response.headers.set("access-control-allow-origin", std::string(*origin));
  response.headers.set("access-control-allow-credentials", "true");
}

bool is_preflight(const Request& request) {
  return request.method == "OPTIONS" && request.headers.find("origin") &&
         request.headers.find("access-control-request-method");
}

Response preflight(const Request& request, const ServerOptions& options) {
  if (!page_allowed(request, options)) return Response::text("Disallowed CORS origin", 400);
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
