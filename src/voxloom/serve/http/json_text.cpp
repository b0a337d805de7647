#include "voxloom/serve/http/json_text.h"

#include <algorithm>

namespace voxloom::serve::http {
namespace {

/// How deep brackets nest, strings left out.
int nesting(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

std::string scalar(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void write(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      if (!first) out += ", ";
      first = false;
      out += scalar(Json(key));
      out += ": ";
      write(item, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& item : value) {
      if (!first) out += ", ";
      first = false;
      write(item, out);
    }
    out += ']';
  } else {
    out += scalar(value);
  }
}

}  // namespace

Json parse_json(std::string_view text, int max_depth) {
  VOXLOOM_CHECK(nesting(text) <= max_depth,
                ErrorCode::kInvalidArgument,
                "body: JSON must nest at most {} deep, got more",
                max_depth);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& e) {
    throw Error(ErrorCode::kInvalidArgument,
                voxloom::format("body: must be JSON, got an error at byte {}", e.byte));
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, "body: must be JSON, got a number out of range");
  }
}

std::string python_json(const Json& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace voxloom::serve::http
