#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// Whether a page of that origin may read answers; an empty list: every origin.
[[nodiscard]] bool origin_allowed(std::string_view origin, const std::vector<std::string>& allowed);

/// Adds what a browser needs, to answers and errors alike: the origin is echoed, never "*" (which
/// browsers refuse for requests with credentials).
void add_cors(const Request& request, const std::vector<std::string>& allowed, Response& response);

/// OPTIONS with Access-Control-Request-Method.
[[nodiscard]] bool is_preflight(const Request& request);
/// The answer to it, complete (add_cors adds the origin).
[[nodiscard]] Response preflight(const Request& request, const std::vector<std::string>& allowed);

}  // namespace voxloom::serve::http
