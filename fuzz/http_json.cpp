// JSON that comes as a body or a form field: what is read is no deeper than it may be and stays the
// same when it is written and read again; what is not read gets an answer that names the place.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "voxloom/core/json_text.h"
#include "voxloom/serve/http/param_check.h"
#include "voxloom/serve/http/router.h"

namespace {

using namespace voxloom::serve::http;  // NOLINT(*-using-namespace)
using voxloom::JsonReading;
using voxloom::read_json;

size_t depth_of(const Json& value) {
  if (!value.is_structured()) return 0;
  size_t deepest = 0;
  for (const Json& member : value) deepest = std::max(deepest, depth_of(member));
  return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t depth = data[0] % 8;
  const voxloom::JsonLimits limits{.max_depth = depth};
  const JsonReading read = read_json(text, limits);
  if (read.error.empty()) {
    if (depth_of(read.value) > depth) __builtin_trap();
    const std::string written = read.value.dump();
    const JsonReading again = read_json(written, limits);
    if (!again.error.empty() || again.value.dump() != written) __builtin_trap();
    // The library's own reader agrees, but for equal keys, of which it keeps the first place too.
    if (Json::parse(text).dump() != written) __builtin_trap();
  } else {
    if (read.byte > text.size() + 1 || !read.value.is_null()) __builtin_trap();
    if (depth > 6 && Json::accept(text) && depth_of(Json::parse(text)) <= depth) __builtin_trap();
  }
  Route route;
  route.params = {{Param::In::kJson, "client_id", "", data[0] % 2 == 0, {}},
                  {Param::In::kJson, "kind", "", false, {"a", "b"}}};
  Request request;
  request.body = std::string(text);
  if (const auto refused = check_params(request, route)) {
    if (refused->status != 422 || !Json::accept(refused->body)) __builtin_trap();
  }
  try {
    if (!request.json_object().is_object()) __builtin_trap();
  } catch (const voxloom::Error& error) {
    if (error.code() != voxloom::ErrorCode::kInvalidArgument) __builtin_trap();
  }
  return 0;
}
