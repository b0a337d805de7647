#pragma once

#include <optional>

#include "voxloom/serve/http/message.h"
#include "voxloom/serve/http/router.h"

namespace voxloom::serve::http {

/// Checks a whole request against its route's parameters. Returns the 422 answer that clients of
/// FastAPI servers expect, with everything that is wrong in it: parameters that are missing, values
/// outside `choices`, and for routes with JSON parameters a body that is no JSON object. A query
/// parameter may be empty; an empty form field counts as missing.
[[nodiscard]] std::optional<Response> check_params(const Request& request, const Route& route);

}  // namespace voxloom::serve::http
