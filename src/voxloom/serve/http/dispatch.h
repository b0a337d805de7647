#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "voxloom/serve/http/body.h"
#include "voxloom/serve/http/message.h"
#include "voxloom/serve/http/router.h"
#include "voxloom/serve/http/server.h"
#include "voxloom/serve/http/worker_pool.h"

namespace voxloom::serve::http {

/// What all connections of a server share. Inside serve/http only.
struct ServerCore {
  ServerCore(ServerOptions options, Router router, Authoriser authoriser, Observer observer);

  const ServerOptions options;
  const Router router;
  const Authoriser authoriser;
  const Observer observer;

  WorkerPool pool, long_pool;
  WorkerPool disk;  ///< Uploads, file answers and removals: never refuses.

  std::atomic<uint64_t> next_id{1};
  std::atomic<bool> draining{false};

  /// Connections that are open; waited for when draining.
  void opened();
  void closed();
  [[nodiscard]] size_t open_connections();
  /// Returns whether all connections were closed by `deadline`.
  bool wait_until_closed(std::chrono::steady_clock::time_point deadline);

  [[nodiscard]] BodyLimits body_limits() const;

 private:
  std::mutex mutex_;
  std::condition_variable all_closed_;
  size_t open_ = 0;
};

/// What is to be done with a request of which the header is known: its route, or an answer.
struct Plan {
  const Route* route = nullptr;
  std::optional<Response> answer;
};
/// Finds the route, asks the authoriser, answers CORS preflights, 404, 405 and 426.
[[nodiscard]] Plan plan_request(const ServerCore& core, Request& request, bool wants_websocket);

/// The answer for what was thrown. Error 500 is logged, without names and paths.
[[nodiscard]] Response error_answer(const std::exception_ptr& thrown, uint64_t request_id);

/// For what ends a connection without an answer.
void log_connection_error(const std::exception& e);

/// Calls the route's handler; whatever it throws becomes an answer.
[[nodiscard]] Response call_handler(const Route& route, Request& request) noexcept;

/// Headers that every answer has: CORS, Retry-After of 429 and 503, WWW-Authenticate of 401.
void complete_answer(const ServerCore& core, const Request& request, Response& response);

/// Status line and header fields, with the empty line. `length` is written as Content-Length,
/// but for statuses without a body. Line breaks in values become spaces.
[[nodiscard]] std::string head_of(const Response& response,
                                  uint64_t length,
                                  bool keep_alive,
                                  bool http_1_0);

/// Tells the observer; it may throw what it likes.
void observe(const ServerCore& core, const Finished& finished) noexcept;

}  // namespace voxloom::serve::http
