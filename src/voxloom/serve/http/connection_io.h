#pragma once

// ConnectionImpl: socket, time, pools. See connection_impl.h.

#include "voxloom/serve/http/connection_impl.h"

namespace voxloom::serve::http {

template <class Stream>
ConnectionImpl<Stream>::ConnectionImpl(ServerCore& core, IoThread& io, Stream stream)
    : core_(core),
      io_(io),
      stream_(std::move(stream)),
      timer_(io.context),
      wake_(io.context, Clock::time_point::max()) {
  io_.connections.insert(this);
}

template <class Stream>
ConnectionImpl<Stream>::~ConnectionImpl() {
  io_.connections.erase(this);
  core_.closed();
}

template <class Stream>
asio::ip::tcp::socket& ConnectionImpl<Stream>::socket() {
  if constexpr (kTls) {
    return stream_.next_layer();
  } else {
    return stream_;
  }
}

template <class Stream>
void ConnectionImpl<Stream>::start() {
  beast::error_code ignored;
  socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto peer = socket().remote_endpoint(ignored);
  asio::ip::address address = peer.address();
  // The server may listen on an IPv6 socket for both kinds.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  remote_ = address.to_string();
  asio::co_spawn(
      io_.context, [self = this->shared_from_this()] { return self->run(); }, asio::detached);
}

template <class Stream>
void ConnectionImpl<Stream>::drain() {
  drain_ = true;
  if (channel_) {
    channel_->close();
  } else if (idle_) {
    kill();
  }
}

template <class Stream>
void ConnectionImpl<Stream>::cancel() {
  token_.cancel();
}

template <class Stream>
void ConnectionImpl<Stream>::kill() {
  token_.cancel();
  drain_ = true;
  beast::error_code ignored;
  socket().close(ignored);
  wake_.cancel();
}

template <class Stream>
void ConnectionImpl<Stream>::close() {
  closed_ = true;
  watch_wanted_ = false;
  timer_.cancel();
  beast::error_code ignored;
  socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket().close(ignored);
}

/// Moving the deadline costs no timer operation unless it comes nearer than what is armed.
template <class Stream>
void ConnectionImpl<Stream>::set_deadline(Clock::duration from_now) {
  deadline_ = Clock::now() + from_now;
  if (deadline_ < armed_for_) arm();
}

template <class Stream>
void ConnectionImpl<Stream>::arm() {
  armed_for_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = this->weak_from_this()](const beast::error_code& ec) {
    const auto self = weak.lock();
    if (ec || !self || self->closed_) return;
    self->armed_for_ = Clock::time_point::max();
    if (self->deadline_ == Clock::time_point::max()) return;
    if (Clock::now() < self->deadline_) {
      self->arm();
      return;
    }
    self->timed_out_ = true;
    self->deadline_ = Clock::time_point::max();
    beast::error_code ignored;
    self->socket().cancel(ignored);
  });
}

/// Appends at least one byte to buffer_. 0: error_ says why, or timed_out_ is set.
template <class Stream>
asio::awaitable<size_t> ConnectionImpl<Stream>::fill(size_t size) {
  beast::error_code ignored;
  while (watch_pending_ && early_.empty() && !peer_gone_) {
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (timed_out_) co_return 0;
  }
  if (!early_.empty()) {
    const size_t count = early_.size();
    asio::buffer_copy(buffer_.prepare(count), asio::buffer(early_));
    buffer_.commit(count);
    early_.clear();
    co_return count;
  }
  if (peer_gone_) {
    error_ = asio::error::eof;
    co_return 0;
  }
  const size_t count = co_await stream_.async_read_some(
      buffer_.prepare(size), asio::redirect_error(asio::use_awaitable, error_));
  buffer_.commit(count);
  if (error_ && !timed_out_) peer_gone_ = true;
  co_return count;
}

/// Keeps one read pending, to see the peer close its end while a handler runs.
template <class Stream>
void ConnectionImpl<Stream>::start_watch() {
  watch_wanted_ = true;
  if (!watch_pending_ && !peer_gone_) watch_next();
}

template <class Stream>
void ConnectionImpl<Stream>::watch_next() {
  watch_pending_ = true;
  stream_.async_read_some(
      asio::buffer(watch_buffer_),
      [self = this->shared_from_this()](const beast::error_code& ec, size_t count) {
        self->watch_pending_ = false;
        self->early_.append(self->watch_buffer_.data(), count);
        if (ec) {
          self->peer_gone_ = true;
          self->token_.cancel();
        } else if (self->watch_wanted_ && self->early_.size() < kMaxEarly) {
          self->watch_next();
        }
        self->wake_.cancel();
      });
}

/// Writes all of it. The peer may take its time, but must take something within the body time-out.
template <class Stream>
asio::awaitable<bool> ConnectionImpl<Stream>::write(std::string_view head, std::string_view body) {
  while (!head.empty() || !body.empty()) {
    const std::array<asio::const_buffer, 2> pieces{
        asio::buffer(head.data(), head.size()),
        asio::buffer(body.data(), std::min(body.size(), kBodyChunk))};
    set_deadline(core_.options.body_idle_timeout);
    size_t count = co_await stream_.async_write_some(
        pieces, asio::redirect_error(asio::use_awaitable, error_));
    finished_.bytes_out += count;
    if (error_) co_return false;
    const size_t of_head = std::min(count, head.size());
    head.remove_prefix(of_head);
    body.remove_prefix(count - of_head);
  }
  no_deadline();
  co_return true;
}

/// Runs `job` on a thread of `pool` and waits for it. False: the pool is full. What the job throws
/// is thrown here.
template <class Stream>
template <class Job>
asio::awaitable<bool> ConnectionImpl<Stream>::in_pool(WorkerPool& pool, Job job) {
  struct Shared {
    bool done = false;
    std::exception_ptr thrown;
  };
  // The connection lives until the job ended: this coroutine, which holds it, waits.
  Shared shared;
  const bool posted = pool.try_post([&shared, &job, self = this->shared_from_this()]() mutable {
    try {
      job();
    } catch (...) {
      shared.thrown = std::current_exception();
    }
    auto& context = self->io_.context;
    asio::post(context, [&shared, self = std::move(self)] {
      shared.done = true;
      self->wake_.cancel();
    });
  });
  if (!posted) co_return false;
  beast::error_code ignored;
  while (!shared.done) {
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (shared.thrown) std::rethrow_exception(shared.thrown);
  co_return true;
}

}  // namespace voxloom::serve::http
