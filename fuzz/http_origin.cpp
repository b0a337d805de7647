// Origin and Host as a browser or anybody else sends them: "ORIGIN\nHOST". No page of another host
// may call a server without accounts.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "voxloom/serve/http/cors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom::serve::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view origin = text.substr(0, text.find('\n'));
  const std::string_view host = text.substr(std::min(origin.size() + 1, size));
  ServerOptions options;
  options.cors_local = true;
  options.loopback_names = true;
  Request request;
  request.method = "POST";
  request.headers.add("Origin", std::string(origin));
  request.headers.add("Host", std::string(host));
  Response response;
  add_cors(request, options, response);
  const bool allowed = page_allowed(request, options);
  if (allowed != response.headers.find("access-control-allow-origin").has_value()) __builtin_trap();
  // Without a number and without "localhost" nothing is this machine or an address.
  const bool names_nobody = text.find_first_of("0123456789:") == std::string_view::npos;
  if (allowed && names_nobody && !host.empty()) __builtin_trap();
  if (allowed && !origin.starts_with("http://") && !origin.starts_with("https://")) {
    __builtin_trap();
  }
  if (allowed && origin.ends_with(".example") && host.ends_with(".example")) __builtin_trap();
  options.cors_origins = {"https://viewer.example"};
  static_cast<void>(origin_allowed(origin, host, options));
  static_cast<void>(names_this_machine(host, options));
  return 0;
}
