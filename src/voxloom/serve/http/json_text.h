#pragma once

#include <string>
#include <string_view>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// How deep JSON from outside may nest: a value is copied and written by recursion.
inline constexpr size_t kMaxJsonDepth = 64;

struct JsonReading {
  Json value;
  std::string error;  ///< "must be valid JSON, got an error at byte N"; empty: none.
  size_t byte = 0;    ///< Of the error, from 1; 0 where none can be named.
};
/// Reads one JSON value; keys keep their order, of equal keys the last one counts. Takes time in
/// proportion to the text, which the library's own reader does not for objects of many keys that
/// keep their order.
[[nodiscard]] JsonReading read_json(std::string_view text, size_t max_depth = kMaxJsonDepth);

/// The value. Throws kInvalidArgument naming `where`.
[[nodiscard]] Json parse_json(std::string_view text, std::string_view where = "body");

/// The text that Python's json.dumps makes by default: ", " and ": " between things, everything
/// beyond ASCII as \uXXXX. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string python_json(const Json& value);

}  // namespace voxloom::serve::http
