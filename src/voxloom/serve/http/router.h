#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// Where a handler runs. kInline: on an IO thread, at once; it must not block (no disk, no lock
/// that long work holds). kPool: on a thread of the pool. kLong: on a thread of the second, wider
/// pool, for handlers that wait for a computation and must not keep others from the first.
enum class Work { kInline, kPool, kLong };

/// A parameter of a route, for checks, /openapi.json and the docs.
struct Param {
  enum class In { kQuery, kForm, kFile, kJson };
  In in = In::kQuery;
  std::string name;
  std::string help;
  bool required = false;  ///< Missing: 422 with FastAPI's body, before the handler runs.
  std::vector<std::string> choices;
};

using Handler = std::function<Response(Request&)>;

/// The server's end of a WebSocket. Thread-safe.
class WebSocket {
 public:
  virtual ~WebSocket() = default;
  /// Queues a text message; a slow peer's oldest messages are dropped, and dropped() counts them.
  virtual void send(std::string text) = 0;
  [[nodiscard]] virtual uint64_t dropped() const = 0;
  virtual void close() = 0;
  /// Called on an IO thread for every text message, and once at the end.
  std::function<void(std::string)> on_message;
  std::function<void()> on_close;
};
using WebSocketHandler = std::function<void(const Request&, std::shared_ptr<WebSocket>)>;

/// One route; the table of them is the server's whole surface.
struct Route {
  std::string method;   ///< "GET"; a GET route answers HEAD only where `head` says so.
  std::string pattern;  ///< "/infer/{model}", "/static/{path*}" (the rest, slashes included).
  std::string role;     ///< "user", "annotator", "reviewer", "admin"; empty: nobody is asked.
  std::string summary;  ///< One sentence.
  std::vector<Param> params;
  Handler handler;
  Work work = Work::kPool;
  bool listed = true;  ///< In /openapi.json.
  bool head = false;
  WebSocketHandler websocket;  ///< Instead of `handler`.
};

/// Collects routes, one call a row of the table.
class RouteList {
 public:
  /// Gives the new route, so that what few routes have can be set; valid until the next add().
  Route& add(std::string method,
             std::string pattern,
             std::string role,
             std::string summary,
             std::vector<Param> params,
             Handler handler,
             Work work = Work::kPool);
  [[nodiscard]] std::vector<Route> take() { return std::move(routes_); }

 private:
  std::vector<Route> routes_;
};

/// Finds routes. "/info" and "/info/" are the same route, without a redirect.
class Router {
 public:
  void add(Route route);

  struct Match {
    const Route* route = nullptr;  ///< Null: 404 or 405.
    std::map<std::string, std::string, std::less<>> path_values;
    std::vector<std::string> allowed;  ///< Methods of the path: 405.
  };
  [[nodiscard]] Match find(std::string_view method, std::string_view path) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  std::vector<std::unique_ptr<Route>> routes_;
  /// Patterns without values, by their text without a slash at the end; and the others.
  std::map<std::string, std::vector<const Route*>, std::less<>> literal_;
  std::vector<const Route*> with_values_;
};

/// OpenAPI 3.1 of the listed routes, made from the table itself.
[[nodiscard]] Json openapi(const Router& router, std::string_view title, std::string_view version);

}  // namespace voxloom::serve::http
