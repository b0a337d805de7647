// The first lines of log connections, records of a peer, and free text on its way into the log: any
// bytes give a value or an Error; what is shown has no control characters, and what is scrubbed no
// paths.
#include <cstdint>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/serve/log/hello.h"
#include "voxloom/serve/log/record.h"
#include "voxloom/serve/log/render.h"
#include "voxloom/serve/log/scrub.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto request = serve::parse_request_line(text);
    const auto again = serve::parse_request_line(serve::request_line(request));
    if (again.backlog != request.backlog || again.filter.level != request.filter.level ||
        again.filter.request != request.filter.request) {
      __builtin_trap();
    }
  } catch (const Error&) {
  }
  try {
    const auto endpoint = serve::parse_log_endpoint(text);
    if (serve::parse_log_endpoint(serve::endpoint_text(endpoint)) != endpoint) __builtin_trap();
  } catch (const Error&) {
  }
  (void)serve::parse_push_hello(text);
  (void)serve::parse_server_hello(text);
  for (const char c : serve::render_record(text, false)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) __builtin_trap();
  }
  for (const char c : serve::scrubbed(text)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\') __builtin_trap();
  }
  return 0;
}
