#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "voxloom/serve/http/router.h"

namespace voxloom::serve::http {

/// What a WebSocket handler holds: a bounded queue between any thread and the connection.
/// It may outlive the connection; then send() drops. Thread-safe.
class WebSocketChannel : public WebSocket {
 public:
  static constexpr size_t kMaxQueued = 1000;
  static constexpr size_t kMaxQueuedBytes = size_t{16} << 20;

  /// `wake` is called when there is something to do for the connection, from any thread but never
  /// after detach() returned.
  explicit WebSocketChannel(std::function<void()> wake) : wake_(std::move(wake)) {}

  void send(std::string text) override;
  [[nodiscard]] uint64_t dropped() const override { return dropped_.load(); }
  void close() override;

  /// The connection's side.
  [[nodiscard]] std::optional<std::string> take();
  [[nodiscard]] bool close_wanted() const;
  void detach();

 private:
  mutable std::mutex mutex_;
  std::function<void()> wake_;
  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  bool close_wanted_ = false;
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace voxloom::serve::http
