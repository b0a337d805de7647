#include "voxloom/serve/log/routes.h"

#include <charconv>
#include <mutex>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/log/gpu_report.h"
#include "voxloom/serve/log/render.h"

namespace voxloom::serve {
namespace {

using http::HttpError;
using http::Request;
using http::Response;
using http::Route;

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Voxloom log</title>
<style>
body { margin: 1em; background: #fff; color: #222; }
pre { font: 13px/1.4 monospace; white-space: pre-wrap; }
</style>
</head>
<body>
<pre id="log">loading</pre>
<script>
const query = new URLSearchParams(location.search);
query.set("text", "true");
async function load() {
  const answer = await fetch("?" + query);
  const text = await answer.text();
  document.getElementById("log").textContent = answer.ok ? text : answer.status + " " + text;
  window.scrollTo(0, document.body.scrollHeight);
}
load();
const seconds = Number(query.get("refresh"));
if (seconds > 0) setInterval(load, 1000 * seconds);
</script>
</body>
</html>
)";

uint64_t number_of(const Request& request, std::string_view name, uint64_t fallback) {
  const std::string text = request.query_value(name);
  if (text.empty()) return fallback;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw HttpError(422, format("{} must be a number from 0", name));
  }
  return value;
}

Response show_log(const LogHub& hub, const Request& request) {
  (void)number_of(request, "refresh", 0);  // read by the page; wrong ones are told here
  const uint64_t lines = number_of(request, "lines", 300);
  if (request.query_flag("html", true) && !request.query_flag("text", false)) {
    Response page = Response::text(std::string(kPage), 200, "text/html; charset=utf-8");
    page.headers.set("Cache-Control", "no-store");
    return page;
  }
  std::string text;
  for (const auto& line : hub.tail(static_cast<size_t>(lines))) {
    text += render_record(*line, false) + "\n";
  }
  Response answer = Response::text(std::move(text));
  answer.headers.set("Cache-Control", "no-store");
  return answer;
}

LogRequest request_of(const Request& request) {
  LogRequest wanted;
  wanted.filter.level = parse_level(request.query_value("level", "debug"));
  wanted.filter.request = number_of(request, "request", 0);
  wanted.filter.client = request.query_value("client");
  wanted.backlog = static_cast<size_t>(number_of(request, "backlog", 0));
  return wanted;
}

std::string error_line(std::string_view event) {
  const http::Json json = {{"time", iso_time(unix_now_ms())},
                           {"level", "error"},
                           {"event", event},
                           {"message", "the filters are not valid"}};
  return json.dump();
}

/// Between a subscription and a socket. The socket's callbacks own it; nothing here owns the
/// socket, so there is no ring of owners.
struct SocketSource {
  std::weak_ptr<http::WebSocket> socket;
  std::unique_ptr<LogSubscription> subscription;
  std::mutex mutex;  ///< Held while lines are taken and sent: they stay in order.
  uint64_t told = 0;

  void pump() {
    const std::lock_guard lock(mutex);
    const auto open = socket.lock();
    if (!open || !subscription) return;
    for (auto lines = subscription->take(); !lines.empty(); lines = subscription->take()) {
      for (const auto& line : lines) open->send(*line);
    }
    const uint64_t dropped = open->dropped();
    if (dropped <= told) return;
    LogRecord record(LogLevel::kWarn, "dropped", "lines were dropped: the reader is too slow");
    open->send(record.field("lines", dropped - told).json_line(unix_now_ms(), 0));
    told = open->dropped();
  }

  void change_filter(const std::string& text) {
    try {
      subscription->set_filter(
          parse_log_request(read_json(text, {.max_bytes = 4096}).value).filter);
    } catch (const Error&) {
      if (const auto open = socket.lock()) open->send(error_line("refused"));
    }
  }
};

}  // namespace

void stream_to_websocket(LogHub& hub,
                         const LogRequest& request,
                         const std::shared_ptr<http::WebSocket>& socket) {
  auto source = std::make_shared<SocketSource>();
  source->socket = socket;
  {
    const std::lock_guard lock(source->mutex);
    source->subscription = hub.subscribe(request, [weak = std::weak_ptr(source)] {
      if (const auto alive = weak.lock()) alive->pump();
    });
  }
  socket->on_message = [source](const std::string& text) { source->change_filter(text); };
  socket->on_close = [source] { source->subscription->close(); };
  source->pump();
}

std::vector<Route> log_routes(LogHub& hub) {
  using In = http::Param::In;
  Route page{.method = "GET",
             .pattern = "/logs/",
             .role = "admin",
             .summary = "The last lines of the log, as a page or as text.",
             .params = {{In::kQuery, "lines", "How many; 0: all that is kept.", false, {}},
                        {In::kQuery, "html", "The page that loads the text.", false, {}},
                        {In::kQuery, "text", "The text itself.", false, {}},
                        {In::kQuery, "refresh", "Seconds between loads; 0: once.", false, {}}},
             .handler = [&hub](Request& request) { return show_log(hub, request); },
             .websocket = {}};
  Route gpu{.method = "GET",
            .pattern = "/logs/gpu",
            .role = "admin",
            .summary = "What nvidia-smi prints about the GPUs.",
            .params = {},
            .handler = [](Request&) { return Response::text(gpu_report()); },
            .work = http::Work::kLong,
            .websocket = {}};
  Route live{
      .method = "GET",
      .pattern = "/logs/live",
      .role = "admin",
      .summary = "The log as it comes, over a WebSocket.",
      .params =
          {{In::kQuery, "level", "This one and above.", false, {"debug", "info", "warn", "error"}},
           {In::kQuery, "request", "Of this request only.", false, {}},
           {In::kQuery, "client", "Of this client only: id or label.", false, {}},
           {In::kQuery, "backlog", "Records of the past first.", false, {}}},
      .handler = {},
      .websocket = [&hub](const Request& request, std::shared_ptr<http::WebSocket> socket) {
        LogRequest wanted;
        try {
          wanted = request_of(request);
        } catch (const std::exception&) {
          socket->send(error_line("refused"));
          socket->close();
          return;
        }
        stream_to_websocket(hub, wanted, socket);
      }};
  std::vector<Route> list;
  list.push_back(std::move(page));
  list.push_back(std::move(gpu));
  list.push_back(std::move(live));
  return list;
}

}  // namespace voxloom::serve
