#pragma once

// ConnectionImpl: WebSockets. See connection_impl.h.

#include "voxloom/serve/http/connection_impl.h"

namespace voxloom::serve::http {

template <class Stream>
asio::awaitable<void> ConnectionImpl<Stream>::serve_websocket(const Route& route,
                                                              Request& request) {
  namespace websocket = beast::websocket;
  using Ws = websocket::stream<Stream&>;
  // A peer must wait for our answer before it sends frames.
  if (buffer_.size() > 0 || !early_.empty()) {
    co_await refuse(400, "Invalid HTTP request received.", true);
    co_return;
  }
  no_deadline();
  // Shared with the writer's pending operation.
  auto ws = std::make_shared<Ws>(stream_);
  websocket::stream_base::timeout times{};
  times.handshake_timeout = core_.options.header_timeout;
  times.idle_timeout = core_.options.body_idle_timeout;  // Asked by a ping at half of it.
  times.keep_alive_pings = true;
  ws->set_option(times);
  ws->read_message_max(kMaxWebSocketMessage);
  Response decoration;
  complete_answer(core_, request, decoration);
  ws->set_option(websocket::stream_base::decorator([&](websocket::response_type& response) {
    for (const auto& [name, value] : decoration.headers.fields()) response.set(name, value);
  }));
  co_await ws->async_accept(parser_->get(), asio::redirect_error(asio::use_awaitable, error_));
  const bool accepted = !error_;
  finished_.method = request.method;
  finished_.status = accepted ? 101 : 400;
  finished_.seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  finished_.principal = request.principal.name;
  observe(core_, finished_);
  if (!accepted) co_return;

  // The writer: sends what is queued, one message after the other.
  struct Writer : std::enable_shared_from_this<Writer> {
    std::shared_ptr<Ws> ws;
    std::shared_ptr<ConnectionImpl> connection;
    std::shared_ptr<WebSocketChannel> channel;
    std::string sending;
    bool busy = false, over = false;

    void flush() {
      if (busy || over) return;
      if (auto text = channel->take()) {
        sending = std::move(*text);
        busy = true;
        ws->text(true);
        ws->async_write(asio::buffer(sending),
                        [self = this->shared_from_this()](const beast::error_code& ec, size_t) {
                          self->ended(!ec);
                        });
      } else if (channel->close_wanted()) {
        busy = true;
        over = true;
        const auto code =
            connection->drain_ ? websocket::close_code::going_away : websocket::close_code::normal;
        ws->async_close(code, [self = this->shared_from_this()](const beast::error_code&) {
          self->ended(false);
        });
      }
    }
    void ended(bool go_on) {
      busy = false;
      over = over || !go_on;
      connection->wake_.cancel();
      flush();
    }
  };
  auto writer = std::make_shared<Writer>();
  writer->ws = ws;
  writer->connection = this->shared_from_this();
  channel_ = std::make_shared<WebSocketChannel>(
      [&context = io_.context, writer] { asio::post(context, [writer] { writer->flush(); }); });
  writer->channel = channel_;
  // The channel's wake-up holds the writer, which holds the channel: detach() breaks the ring.
  const auto channel = channel_;
  try {
    route.websocket(request, channel);
  } catch (...) {
    static_cast<void>(error_answer(std::current_exception(), request.id));
    channel->close();
  }
  if (drain_) channel->close();
  beast::flat_buffer message;
  while (true) {
    co_await ws->async_read(message, asio::redirect_error(asio::use_awaitable, error_));
    if (error_) break;
    if (ws->got_text() && channel->on_message) {
      try {
        channel->on_message(beast::buffers_to_string(message.data()));
      } catch (...) {
        static_cast<void>(error_answer(std::current_exception(), request.id));
        channel->close();
      }
    }
    message.consume(message.size());
  }
  channel->detach();
  writer->over = true;
  token_.cancel();
  beast::error_code ignored;
  socket().close(ignored);
  while (writer->busy) {
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  channel_.reset();
  if (channel->on_close) {
    try {
      channel->on_close();
    } catch (...) {
      static_cast<void>(error_answer(std::current_exception(), request.id));
    }
  }
}

}  // namespace voxloom::serve::http
