#include "voxloom/serve/http/websocket.h"

#include <utility>

namespace voxloom::serve::http {

void WebSocketChannel::send(std::string text) {
  const std::lock_guard lock(mutex_);
  if (!wake_ || close_wanted_) {
    ++dropped_;
    return;
  }
  queued_bytes_ += text.size();
  queue_.push_back(std::move(text));
  while (queue_.size() > kMaxQueued || (queued_bytes_ > kMaxQueuedBytes && queue_.size() > 1)) {
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
    ++dropped_;
  }
  // One wake-up is enough until the queue was emptied.
  if (queue_.size() == 1) wake_();
}

void WebSocketChannel::close() {
  const std::lock_guard lock(mutex_);
  if (!wake_ || close_wanted_) return;
  close_wanted_ = true;
  wake_();
}

std::optional<std::string> WebSocketChannel::take() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  std::string text = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= text.size();
  return text;
}

bool WebSocketChannel::close_wanted() const {
  const std::lock_guard lock(mutex_);
  return close_wanted_;
}

void WebSocketChannel::detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  dropped_ += queue_.size();
  queue_.clear();
  queued_bytes_ = 0;
}

}  // namespace voxloom::serve::http
