#include "voxloom/serve/progress_hub.h"

#include <chrono>

namespace voxloom::serve {

void ProgressHub::publish(const InferProgress& progress) {
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count();
  std::vector<std::shared_ptr<http::WebSocket>> sockets;
  {
    const std::lock_guard lock(mutex_);
    const bool same = last_stage_ == progress.stage;
    if (same && progress.done < progress.total && now - last_ms_ < 100) return;
    last_stage_ = progress.stage;
    last_ms_ = now;
    for (auto it = listeners_.begin(); it != listeners_.end();) {
      const auto socket = it->socket.lock();
      if (socket && it->client == progress.client) sockets.push_back(socket);
      it = socket ? std::next(it) : listeners_.erase(it);
    }
  }
  if (sockets.empty()) return;
  const std::string text = http::Json{
      {"client", progress.client},
      {"model", progress.model},
      {"stage", progress.stage},
      {"done", progress.done},
      {"total",
       progress.total}}.dump();
  for (const auto& socket : sockets) socket->send(text);
}

http::Route ProgressHub::route() {
  http::Route route;
  route.method = "GET";
  route.pattern = "/progress";
  route.role = "user";
  route.summary = "WebSocket: how far the inferences of a client are.";
  route.params = {{http::Param::In::kQuery, "client_id", "Whose.", true, {}}};
  route.websocket = [this](const http::Request& request, std::shared_ptr<http::WebSocket> socket) {
    const std::lock_guard lock(mutex_);
    listeners_.push_back({request.query_value("client_id"), socket});
  };
  return route;
}

}  // namespace voxloom::serve
