#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/serve/http/message.h"
#include "voxloom/serve/http/router.h"

namespace voxloom::serve::http {

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8000;  ///< 0: any free port, see Server::port().
  int io_threads = 2;
  int pool_threads = 8, long_threads = 64;
  std::filesystem::path spool;  ///< Folder for uploads; made, and emptied of old ones at start.
  std::filesystem::path certificate, private_key;  ///< PEM; both or neither. TLS where given.
  /// Pages that may call from a browser, beside the server's own; "*": every one. None: every one,
  /// or with `cors_local` those of loopback addresses.
  std::vector<std::string> cors_origins;
  bool cors_local = false;
  /// Refuse a Host header that does not name this machine (cors.h: names_this_machine).
  bool loopback_names = false;
  uint64_t max_json_bytes = uint64_t{16} << 20;
  uint64_t max_field_bytes = uint64_t{1} << 20;
  uint64_t max_upload_bytes = uint64_t{8} << 30;
  size_t max_fields = 1000;
  size_t max_connections = 4096;
  std::chrono::seconds header_timeout{30}, body_idle_timeout{60}, keep_alive{75};
  std::chrono::seconds drain_timeout{30};
};

/// What the server asks before a handler runs: fills request.principal, or throws HttpError 401,
/// 403 or 429. Called on an IO thread.
using Authoriser = std::function<void(Request&, const Route&)>;

/// What is told after each answer, for logs and metrics. `seconds` from the last header byte.
struct Finished {
  uint64_t request_id = 0;
  std::string method, pattern;  ///< The route's pattern, never the path: paths hold ids.
  int status = 0;
  double seconds = 0.0;
  uint64_t bytes_in = 0, bytes_out = 0;
  std::string principal;
};
using Observer = std::function<void(const Finished&)>;

/// HTTP/1.1 with keep-alive, TLS and WebSockets on Boost.Beast (server.cpp alone includes it).
///
/// Handlers' errors become answers: HttpError its status, Error status_of(code), anything else
/// 500 {"detail": "internal error, request N"} with the words in the log. CORS headers are on
/// every answer, errors included. A pool that is full answers 503 with Retry-After.
class Server {
 public:
  Server(ServerOptions options, Router router, Authoriser authoriser, Observer observer);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and starts the threads. Throws kUnavailable naming host and port when it can't bind.
  void start();
  [[nodiscard]] uint16_t port() const;
  /// Takes no new connection, lets running requests end within drain_timeout, then cancels them.
  void drain();
  [[nodiscard]] const Router& router() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// A certificate and key for this machine, made once and kept in `folder`
/// (server-cert.pem, server-key.pem, mode 0600). Returns their paths.
struct Certificate {
  std::filesystem::path certificate, private_key;
};
[[nodiscard]] Certificate self_signed_certificate(const std::filesystem::path& folder,
                                                  const std::vector<std::string>& host_names);

}  // namespace voxloom::serve::http
