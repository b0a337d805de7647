#pragma once

// The life of one connection, as a coroutine on its IO thread:
//
//   (TLS handshake) -> { wait for a request -> header -> plan -> body -> handler -> answer }* ->
//   close
//
// All socket reads append to buffer_, from which Beast's parser takes. While a handler runs on a
// pool, a read stays pending (watch) to see the peer go away; what it happens to read, a request
// sent ahead, is kept in early_ for the next round. Deadlines are one lazily moved timer that
// cancels the socket's operations.
//
// This file declares the class; connection_{io,http,websocket}.h define it, and are included by
// connection_plain.cpp and connection_tls.cpp alone.

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <unistd.h>

#include "voxloom/serve/http/body_feeder.h"
#include "voxloom/serve/http/connection.h"
#include "voxloom/serve/http/cors.h"
#include "voxloom/serve/http/file_answer.h"
#include "voxloom/serve/http/param_check.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/http/url.h"
#include "voxloom/serve/http/websocket.h"

namespace voxloom::serve::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr uint32_t kMaxHeader = 64 << 10;
constexpr size_t kReadSize = 16 << 10;
constexpr size_t kBodyChunk = 256 << 10;
/// What is read of a file at a time to be sent.
constexpr size_t kFileChunk = 512 << 10;
/// Requests sent ahead while a handler runs are read up to here.
constexpr size_t kMaxEarly = 64 << 10;
constexpr size_t kWatchSize = 4 << 10;
/// Bodies up to here travel in one piece with their header.
constexpr size_t kJoinedBody = 16 << 10;
constexpr size_t kMaxWebSocketMessage = 64 << 10;
/// How long what a peer still sends is read and thrown away before closing, so that a reset does
/// not destroy the answer on its way.
constexpr std::chrono::seconds kLinger{5};
constexpr std::chrono::seconds kTlsGoodbye{1};

template <class Stream>
class ConnectionImpl : public Connection,
                       public std::enable_shared_from_this<ConnectionImpl<Stream>> {
 public:
  ConnectionImpl(ServerCore& core, IoThread& io, Stream stream);
  ~ConnectionImpl() override;

  void start();
  void drain() override;
  void cancel() override;
  void kill() override;

 private:
  static constexpr bool kTls = !std::is_same_v<Stream, asio::ip::tcp::socket>;
  using Parser = beast::http::request_parser<beast::http::buffer_body>;
  using Clock = std::chrono::steady_clock;
  template <class T>
  using Task = asio::awaitable<T>;

  // Sockets and time.
  asio::ip::tcp::socket& socket();
  void set_deadline(Clock::duration from_now);
  void no_deadline() { deadline_ = Clock::time_point::max(); }
  void arm();
  Task<size_t> fill(size_t size);
  Task<bool> write(std::string_view head, std::string_view body);
  void start_watch();
  void watch_next();
  template <class Job>
  Task<bool> in_pool(WorkerPool& pool, Job job);

  // The steps of the life.
  Task<void> run();
  Task<bool> serve_one();
  Task<bool> wait_for_request();
  Task<bool> read_header();
  Task<bool> refuse(int status, std::string text, bool plain);
  bool make_request(Request& request);
  Task<void> read_body(Request& request);
  Task<void> take_body(BodyReceiver& receiver, std::optional<BodyFeeder>& feeder);
  Task<void> until_fed(const BodyFeeder& feeder);
  Task<Response> handle(const Route& route, Request& request);
  Task<bool> answer(Request& request, Response response, bool keep_alive);
  Task<bool> send_file(Request& request,
                       Response& response,
                       const Response::FileBody& file,
                       bool keep_alive);
  Task<void> serve_websocket(const Route& route, Request& request);
  Task<void> linger();
  void close();

  ServerCore& core_;
  IoThread& io_;
  Stream stream_;
  asio::steady_timer timer_, wake_;
  Clock::time_point deadline_ = Clock::time_point::max(), armed_for_ = Clock::time_point::max();
  bool timed_out_ = false;
  beast::error_code error_;  ///< Of the last read or write.

  beast::flat_buffer buffer_;
  std::string early_;
  std::array<char, kWatchSize> watch_buffer_{};
  bool watch_wanted_ = false, watch_pending_ = false, peer_gone_ = false;

  std::optional<Parser> parser_;
  std::string remote_;
  CancelToken token_;
  bool idle_ = false, closed_ = false, drain_ = false, unread_ = false, reads_body_ = false;
  Finished finished_;
  Clock::time_point started_;
  std::shared_ptr<WebSocketChannel> channel_;
};

template <class Stream>
void start_connection(ServerCore& core, IoThread& io, Stream stream) {
  std::make_shared<ConnectionImpl<Stream>>(core, io, std::move(stream))->start();
}

}  // namespace voxloom::serve::http
