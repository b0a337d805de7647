#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/serve/log/hub.h"

namespace voxloom::serve {

// What goes over a log connection, in lines of UTF-8 that end with LF (a CR before it is dropped).
//
// A monitor connects to a server that listens (--log-listen):
//   monitor   TOKEN                                     at most 256 bytes
//   monitor   {"level": "warn", "backlog": 100}         optional, within half a second; a later
//                                                       such line changes the filters
//   server    {"event": "hello", "run": "...", "backlog": 100}   so many lines of the past follow
//   server    a record a line
// Without the right token the server sends nothing and closes after its time-out (over TLS the
// handshake itself comes first).
//
// A server connects to a front end that listens (--log-push):
//   server    {"event": "hello", "program": "voxloom", "token": "TOKEN"}
//   server    a record a line
// The front end sends nothing. After a break lines may come twice; `seq` tells.

inline constexpr size_t kMaxHelloBytes = 4096;

/// Where a log connection goes to or is taken: "HOST:PORT", "[::1]:PORT".
struct LogEndpoint {
  std::string host;
  uint16_t port = 0;
  bool operator==(const LogEndpoint&) const = default;
};
/// Throws kInvalidArgument. Port 0 (any free one) passes; listening takes it, connecting fails.
[[nodiscard]] LogEndpoint parse_log_endpoint(std::string_view text);
[[nodiscard]] std::string endpoint_text(const LogEndpoint& endpoint);

/// A token is 16 to 256 printable ASCII characters without spaces. Throws kInvalidArgument.
void check_log_token(std::string_view token);
/// The first line of `file`, or where that is empty the variable VOXLOOM_LOG_TOKEN; checked.
/// Throws kInvalidArgument when there is neither.
[[nodiscard]] std::string read_log_token(const std::filesystem::path& file);

/// The line with filters. Throws kInvalidArgument.
[[nodiscard]] LogRequest parse_request_line(std::string_view line);
[[nodiscard]] std::string request_line(const LogRequest& request);

/// The token of a pushing server's first line; empty when the line is no hello.
[[nodiscard]] std::string parse_push_hello(std::string_view line);
[[nodiscard]] std::string push_hello_line(std::string_view token);

/// A server's first line. `run` is drawn anew at each start: with it a monitor that comes back
/// knows whether `seq` counts on.
struct ServerHello {
  size_t backlog = 0;
  std::string run;
};
[[nodiscard]] std::optional<ServerHello> parse_server_hello(std::string_view line);
[[nodiscard]] std::string server_hello_line(const ServerHello& hello);

}  // namespace voxloom::serve
