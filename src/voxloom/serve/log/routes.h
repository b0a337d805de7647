#pragma once

#include <memory>
#include <vector>

#include "voxloom/serve/http/router.h"
#include "voxloom/serve/log/hub.h"

namespace voxloom::serve {

/// The log over HTTP, for admins; the hub must outlive them:
/// - GET /logs/: a page that loads itself with ?text=true; `lines` (300; 0: all that is kept),
///   `text`, `html`, `refresh` (seconds; 0: never);
/// - GET /logs/gpu: what nvidia-smi prints, or why there is nothing;
/// - WebSocket /logs/live: records as they come, one JSON text each; `level`, `request`, `client`
///   and `backlog` in the query, changed at any time by a message {"level": ...}.
[[nodiscard]] std::vector<http::Route> log_routes(LogHub& hub);

/// Sends the hub's records that match to a WebSocket until it closes. A peer that is too slow is
/// told how many lines it missed. The socket's callbacks are set here.
void stream_to_websocket(LogHub& hub,
                         const LogRequest& request,
                         const std::shared_ptr<http::WebSocket>& socket);

}  // namespace voxloom::serve
