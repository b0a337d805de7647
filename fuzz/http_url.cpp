// Request targets, queries, forms, header values and JSON bodies: any text gives a value or an
// error of ours.
#include <cstdint>
#include <string>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/http/file_answer.h"
#include "voxloom/serve/http/python_json.h"
#include "voxloom/serve/http/router.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/http/url.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  using namespace voxloom::serve::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const Router router = [] {
    Router made;
    for (const char* pattern : {"/info/", "/infer/{model}", "/static/{path*}", "/a/{b}/c/{d}"}) {
      Route route;
      route.method = "GET";
      route.pattern = pattern;
      route.handler = [](Request&) { return Response(); };
      made.add(std::move(route));
    }
    return made;
  }();
  try {
    const Target target = split_target(text);
    if (target.path.empty() || target.path[0] != '/') __builtin_trap();
    if (target.path.find('\0') != std::string::npos) __builtin_trap();
    const auto match = router.find("GET", target.path);
    for (const auto& [name, value] : match.path_values) {
      if (target.path.find(value) == std::string::npos) __builtin_trap();
    }
    static_cast<void>(parse_urlencoded(target.query));
  } catch (const HttpError&) {
  }
  try {
    for (const auto& [name, value] : parse_urlencoded(text, {16, 64})) {
      if (name.size() > 64 || value.size() > 64) __builtin_trap();
    }
  } catch (const HttpError&) {
  }
  const auto decoded = percent_decode(text, Plus::kLiteral);
  if (decoded) {
    // Encoded again and read again, nothing changes.
    const auto again = percent_decode(percent_encode(*decoded), Plus::kLiteral);
    if (!again || *again != *decoded) __builtin_trap();
  }
  std::string found;
  static_cast<void>(header_parameter(text, "boundary", found));
  static_cast<void>(media_type(text));
  static_cast<void>(base_name(text));
  static_cast<void>(parse_http_date(text));
  static_cast<void>(attachment(text));
  try {
    const Json value = parse_json(text, "body", ErrorCode::kInvalidArgument);
    const std::string python = python_json(value);
    for (const char c : python) {
      if (static_cast<unsigned char>(c) >= 0x7f) __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
