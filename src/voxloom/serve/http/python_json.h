#pragma once

#include <string>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// The text that Python's json.dumps makes by default: ", " and ": " between things, everything
/// beyond ASCII as \uXXXX. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string python_json(const Json& value);

}  // namespace voxloom::serve::http
