#include "voxloom/serve/http/dispatch.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <new>
#include <system_error>
#include <typeinfo>

#include "voxloom/core/log.h"
#include "voxloom/serve/http/cors.h"
#include "voxloom/serve/http/file_answer.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/log/scrub.h"

namespace voxloom::serve::http {
namespace {

/// Jobs that may wait for each thread of a pool before clients are told to come again.
constexpr size_t kQueuedPerThread = 32;
constexpr size_t kDiskThreads = 2;

std::string_view reason_of(int status) {
  struct Entry {
    int status;
    std::string_view reason;
  };
  constexpr std::array kReasons{
      Entry{200, "OK"},
      Entry{201, "Created"},
      Entry{202, "Accepted"},
      Entry{204, "No Content"},
      Entry{206, "Partial Content"},
      Entry{301, "Moved Permanently"},
      Entry{302, "Found"},
      Entry{304, "Not Modified"},
      Entry{307, "Temporary Redirect"},
      Entry{400, "Bad Request"},
      Entry{401, "Unauthorized"},
      Entry{403, "Forbidden"},
      Entry{404, "Not Found"},
      Entry{405, "Method Not Allowed"},
      Entry{408, "Request Timeout"},
      Entry{409, "Conflict"},
      Entry{413, "Content Too Large"},
      Entry{415, "Unsupported Media Type"},
      Entry{416, "Range Not Satisfiable"},
      Entry{422, "Unprocessable Content"},
      Entry{426, "Upgrade Required"},
      Entry{429, "Too Many Requests"},
      Entry{499, "Client Closed Request"},
      Entry{500, "Internal Server Error"},
      Entry{501, "Not Implemented"},
      Entry{502, "Bad Gateway"},
      Entry{503, "Service Unavailable"},
      Entry{504, "Gateway Timeout"},
  };
  for (const Entry& entry : kReasons) {
    if (entry.status == status) return entry.reason;
  }
  return "Unknown";
}

/// The date of now, made once a second by each thread.
const std::string& date_now() {
  thread_local std::time_t made = -1;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    text = http_date(now);
    made = now;
  }
  return text;
}

void append_value(std::string& out, std::string_view value) {
  const size_t start = out.size();
  out += value;
  for (size_t i = start; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
}

/// What may be said of an error in a log.
std::string log_words(const std::exception& e) {
  // The words of these errors hold paths; their codes do not.
  if (const auto* system = dynamic_cast<const std::system_error*>(&e)) {
    return system->code().message();
  }
  return scrubbed(e.what());
}

}  // namespace

ServerCore::ServerCore(ServerOptions given, Router table, Authoriser asked, Observer told)
    : options(std::move(given)),
      router(std::move(table)),
      authoriser(std::move(asked)),
      observer(std::move(told)),
      pool(static_cast<size_t>(std::max(1, options.pool_threads)),
           static_cast<size_t>(std::max(1, options.pool_threads)) * kQueuedPerThread),
      long_pool(static_cast<size_t>(std::max(1, options.long_threads)),
                static_cast<size_t>(std::max(1, options.long_threads))),
      disk(kDiskThreads, std::numeric_limits<size_t>::max()) {}

void ServerCore::opened() {
  const std::lock_guard lock(mutex_);
  ++open_;
}

void ServerCore::closed() {
  // Notified under the lock: who waits may destroy this object at once.
  const std::lock_guard lock(mutex_);
  --open_;
  all_closed_.notify_all();
}

size_t ServerCore::open_connections() {
  const std::lock_guard lock(mutex_);
  return open_;
}

bool ServerCore::wait_until_closed(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return all_closed_.wait_until(lock, deadline, [&] { return open_ == 0; });
}

BodyLimits ServerCore::body_limits() const {
  return {options.max_json_bytes,
          options.max_field_bytes,
          options.max_upload_bytes,
          options.max_fields};
}

Plan plan_request(const ServerCore& core, Request& request, bool wants_websocket) {
  Plan plan;
  if (is_preflight(request)) {
    plan.answer = preflight(request, core.options);
    return plan;
  }
  if (!page_allowed(request, core.options)) {
    plan.answer = Response::error(403, "pages of this origin may not call; see --cors-origin");
    return plan;
  }
  Router::Match match = core.router.find(request.method, request.path);
  if (match.route == nullptr) {
    if (match.allowed.empty()) {
      plan.answer = Response::error(404, "Not Found");
      return plan;
    }
    plan.answer = Response::error(405, "Method Not Allowed");
    std::string allowed;
    for (const std::string& method : match.allowed) {
      allowed += (allowed.empty() ? "" : ", ") + method;
    }
    plan.answer->headers.set("allow", std::move(allowed));
    return plan;
  }
  plan.route = match.route;
  request.path_values = std::move(match.path_values);
  if (match.route->websocket && !wants_websocket) {
    plan.answer = Response::error(426, "this address speaks WebSocket only");
    plan.answer->headers.set("upgrade", "websocket");
    return plan;
  }
  try {
    if (core.authoriser) {
      core.authoriser(request, *match.route);
    } else {
      request.principal.roles = {"user", "annotator", "reviewer", "admin"};
    }
  } catch (...) {
    plan.answer = error_answer(std::current_exception(), request.id);
  }
  return plan;
}

Response error_answer(const std::exception_ptr& thrown, uint64_t request_id) {
  const auto internal = [&](std::string_view type, const std::string& words) {
    VOXLOOM_LOG_ERROR("request {}: internal error ({}): {}", request_id, type, words);
    return Response::error(500, voxloom::format("internal error, request {}", request_id));
  };
  try {
    std::rethrow_exception(thrown);
  } catch (const HttpError& e) {
    Response response = Response::error(e.status(), e.what());
    for (const auto& [name, value] : e.headers()) response.headers.set(name, value);
    return response;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInternal) return internal("Error", scrubbed(e.what()));
    return Response::error(status_of(e.code()), e.what());
  } catch (const std::exception& e) {
    return internal(typeid(e).name(), log_words(e));
  } catch (...) {
    return internal("unknown", "no words");
  }
}

void log_connection_error(const std::exception& e) {
  VOXLOOM_LOG_ERROR("connection: {}", log_words(e));
}

Response call_handler(const Route& route, Request& request) noexcept {
  try {
    return route.handler(request);
  } catch (...) {
    try {
      return error_answer(std::current_exception(), request.id);
    } catch (...) {
      // No memory even for the words.
      Response bare;
      bare.status = 500;
      return bare;
    }
  }
}

void complete_answer(const ServerCore& core, const Request& request, Response& response) {
  add_cors(request, core.options, response);
  const int status = response.status;
  if ((status == 429 || status == 503) && !response.headers.find("retry-after")) {
    response.headers.set("retry-after", "1");
  }
  if (status == 401 && !response.headers.find("www-authenticate")) {
    response.headers.set("www-authenticate", "Bearer");
  }
}

std::string head_of(const Response& response, uint64_t length, bool keep_alive, bool http_1_0) {
  std::string head;
  head.reserve(256);
  head += "HTTP/1.1 ";
  head += std::to_string(response.status);
  head += ' ';
  head += reason_of(response.status);
  head += "\r\ndate: ";
  head += date_now();
  for (const auto& [name, value] : response.headers.fields()) {
    // The framing is the server's own.
    if (equals_nocase(name, "content-length") || equals_nocase(name, "transfer-encoding") ||
        equals_nocase(name, "connection")) {
      continue;
    }
    head += "\r\n";
    append_value(head, name);
    head += ": ";
    append_value(head, value);
  }
  if (response.status >= 200 && response.status != 204 && response.status != 304) {
    head += "\r\ncontent-length: ";
    head += std::to_string(length);
  }
  if (!keep_alive) {
    head += "\r\nconnection: close";
  } else if (http_1_0) {
    head += "\r\nconnection: keep-alive";
  }
  head += "\r\n\r\n";
  return head;
}

void observe(const ServerCore& core, const Finished& finished) noexcept {
  if (!core.observer) return;
  try {
    core.observer(finished);
  } catch (...) {
    // An observer only watches; its trouble is not the client's.
    return;
  }
}

}  // namespace voxloom::serve::http
