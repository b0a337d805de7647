#pragma once

#include <string>
#include <string_view>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// JSON from outside. Nesting is bounded, since writing a value again goes as deep as the value.
/// Throws kInvalidArgument "body: must be JSON, got an error at byte N".
[[nodiscard]] Json parse_json(std::string_view text, int max_depth = 64);

/// The text that Python's json.dumps makes by default: ", " and ": " between things, everything
/// beyond ASCII as \uXXXX. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string python_json(const Json& value);

}  // namespace voxloom::serve::http
