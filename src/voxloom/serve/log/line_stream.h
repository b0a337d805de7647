#pragma once

// Internal to serve/log: this header brings in Boost.Asio, so only sources of this folder use it.

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "voxloom/serve/log/hello.h"

namespace voxloom::serve::detail {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// A TCP or TLS connection of lines. All calls on the context's one thread. Coroutines throw
/// boost::system::system_error when the peer or close() ends the connection.
class LineStream {
 public:
  virtual ~LineStream() = default;

  /// TLS only; nothing to do otherwise.
  virtual asio::awaitable<void> handshake() = 0;
  virtual asio::awaitable<void> write(const std::string& text) = 0;
  /// The next line without its end. Throws error no_buffer_space for one above `max_bytes`.
  asio::awaitable<std::string> read_line(size_t max_bytes);
  /// Ends every operation under way. No more bytes are sent.
  virtual void close() = 0;

 protected:
  virtual asio::awaitable<size_t> read_some(char* data, size_t size) = 0;

 private:
  std::string buffer_;
  size_t start_ = 0;  ///< Of what is not yet returned.
};

/// `tls` null: plain TCP. `server_name` empty: this is the server's side; else the peer's
/// certificate must be for that name.
std::shared_ptr<LineStream> make_line_stream(tcp::socket socket,
                                             asio::ssl::context* tls,
                                             const std::string& server_name);

/// Closes a stream when it is not disarmed in time.
class Watchdog {
 public:
  Watchdog(const asio::any_io_executor& executor, const std::shared_ptr<LineStream>& stream);
  void arm(std::chrono::milliseconds time);
  void disarm();

 private:
  struct Shared {
    explicit Shared(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    uint64_t round = 0;
  };
  std::shared_ptr<Shared> shared_;
  std::weak_ptr<LineStream> stream_;
};

/// Waits for `time` or until somebody cancels the timer; never throws for the latter.
asio::awaitable<void> wait_on(asio::steady_timer& timer, std::chrono::milliseconds time);

/// A socket connected to the endpoint; every address of the name is tried.
asio::awaitable<tcp::socket> connect_to(const LogEndpoint& endpoint);

/// An open acceptor. Throws Error(kUnavailable) naming the address.
tcp::acceptor listen_on(asio::io_context& context, const LogEndpoint& endpoint);

/// TLS of a server with its PEM files; throws kUnavailable naming them.
std::unique_ptr<asio::ssl::context> server_tls(const std::filesystem::path& certificate,
                                               const std::filesystem::path& private_key);
/// TLS of a client that trusts `ca` (PEM), or the system's authorities when empty.
std::unique_ptr<asio::ssl::context> client_tls(const std::filesystem::path& ca);

}  // namespace voxloom::serve::detail
