#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "voxloom/core/cancel.h"
#include "voxloom/serve/log/hello.h"

namespace voxloom::serve {

/// Called on the thread that follows. A line is what the peer sent, unchecked: render_record().
struct FollowEvents {
  std::function<void(std::string_view line)> on_line;
  std::function<void(const std::string& text)> on_state;  ///< For people: connected, lost, ...
  std::function<void(uint16_t port)> on_listening;        ///< receive_log() only.
};

struct FollowOptions {
  LogEndpoint server;
  std::string token;
  LogRequest request;
  bool tls = false;
  std::filesystem::path ca;  ///< PEM; empty: the system's authorities.
  bool once = false;         ///< End after the backlog.
  std::chrono::milliseconds hello_timeout{15'000};
  std::chrono::milliseconds first_retry{250}, longest_retry{10'000};
};

/// Follows a server's log until `stop`; returns the number of records. Throws kUnavailable when the
/// first connection fails or the server says nothing (a wrong token); later breaks are mended, the
/// records of the break come from the server's memory as far as it has them.
uint64_t follow_log(const FollowOptions& options, const FollowEvents& events, CancelToken stop);

struct ReceiveOptions {
  LogEndpoint at;
  std::string token;
  std::filesystem::path certificate, private_key;  ///< PEM: TLS. Both or neither.
  std::chrono::milliseconds hello_timeout{10'000};
  size_t max_peers = 64;
};

/// Takes the logs that servers push here, until `stop`; returns the number of records. Throws
/// kUnavailable when it cannot listen.
uint64_t receive_log(const ReceiveOptions& options, const FollowEvents& events, CancelToken stop);

}  // namespace voxloom::serve
