#pragma once

#include <string_view>

#include "voxloom/serve/http/message.h"
#include "voxloom/serve/http/server.h"

namespace voxloom::serve::http {

/// Whether a page of that origin may call, where the request names the server `host` (its Host
/// header). ServerOptions::cors_origins says how.
[[nodiscard]] bool origin_allowed(std::string_view origin,
                                  std::string_view host,
                                  const ServerOptions& options);

/// Whether the request may go on, by its Origin and Host. Browsers send many requests of foreign
/// pages without asking first, and only hide the answer from the page: too late for a POST.
[[nodiscard]] bool page_allowed(const Request& request, const ServerOptions& options);

/// Whether a Host header names this machine in a way that no other page can take over: an address,
/// localhost, this machine's name, or the host of a given origin. A foreign page can let its own
/// name point to 127.0.0.1, and is then of one origin with the server for the browser.
[[nodiscard]] bool names_this_machine(std::string_view host, const ServerOptions& options);

/// Adds what a browser needs, to answers and errors alike: the origin is echoed, never "*" (which
/// browsers refuse for requests with credentials).
void add_cors(const Request& request, const ServerOptions& options, Response& response);

/// OPTIONS with Access-Control-Request-Method.
[[nodiscard]] bool is_preflight(const Request& request);
/// The answer to it, complete (add_cors adds the origin).
[[nodiscard]] Response preflight(const Request& request, const ServerOptions& options);

}  // namespace voxloom::serve::http
