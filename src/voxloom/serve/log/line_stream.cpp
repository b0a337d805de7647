#include "voxloom/serve/log/line_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "voxloom/core/error.h"

namespace voxloom::serve::detail {
namespace {

using asio::use_awaitable;

class PlainStream final : public LineStream {
 public:
  explicit PlainStream(tcp::socket socket) : socket_(std::move(socket)) {}
  asio::awaitable<void> handshake() override { co_return; }
  asio::awaitable<void> write(const std::string& text) override {
    co_await asio::async_write(socket_, asio::buffer(text), use_awaitable);
  }
  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

 protected:
  asio::awaitable<size_t> read_some(char* data, size_t size) override {
    co_return co_await socket_.async_read_some(asio::buffer(data, size), use_awaitable);
  }

 private:
  tcp::socket socket_;
};

class TlsStream final : public LineStream {
 public:
  TlsStream(tcp::socket socket, asio::ssl::context& context, const std::string& server_name)
      : stream_(std::move(socket), context), client_(!server_name.empty()) {
    if (!client_) return;
    stream_.set_verify_mode(asio::ssl::verify_peer);
    stream_.set_verify_callback(asio::ssl::host_name_verification(server_name));
    // Servers with several names pick their certificate by this. The macro casts away const.
    ::SSL_ctrl(stream_.native_handle(),
               SSL_CTRL_SET_TLSEXT_HOSTNAME,
               TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(server_name.c_str()));  // NOLINT(*-const-cast)
  }
  asio::awaitable<void> handshake() override {
    co_await stream_.async_handshake(
        client_ ? asio::ssl::stream_base::client : asio::ssl::stream_base::server, use_awaitable);
  }
  asio::awaitable<void> write(const std::string& text) override {
    co_await asio::async_write(stream_, asio::buffer(text), use_awaitable);
  }
  void close() override {
    boost::system::error_code ignored;
    stream_.lowest_layer().close(ignored);
  }

 protected:
  asio::awaitable<size_t> read_some(char* data, size_t size) override {
    co_return co_await stream_.async_read_some(asio::buffer(data, size), use_awaitable);
  }

 private:
  asio::ssl::stream<tcp::socket> stream_;
  bool client_;
};

}  // namespace

asio::awaitable<std::string> LineStream::read_line(size_t max_bytes) {
  size_t searched = start_;
  for (;;) {
    const size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos && end - start_ <= max_bytes) {
      std::string line = buffer_.substr(start_, end - start_);
      start_ = end + 1;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      co_return line;
    }
    if (end != std::string::npos || buffer_.size() - start_ > max_bytes) {
      throw boost::system::system_error(asio::error::no_buffer_space);
    }
    buffer_.erase(0, start_);
    start_ = 0;
    searched = buffer_.size();
    buffer_.resize(searched + 16384);
    size_t got = 0;
    try {
      got = co_await read_some(buffer_.data() + searched, 16384);
    } catch (...) {
      buffer_.resize(searched);
      throw;
    }
    buffer_.resize(searched + got);
  }
}

std::shared_ptr<LineStream> make_line_stream(tcp::socket socket,
                                             asio::ssl::context* tls,
                                             const std::string& server_name) {
  boost::system::error_code ignored;
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  if (tls == nullptr) return std::make_shared<PlainStream>(std::move(socket));
  return std::make_shared<TlsStream>(std::move(socket), *tls, server_name);
}

Watchdog::Watchdog(const asio::any_io_executor& executor, const std::shared_ptr<LineStream>& stream)
    : shared_(std::make_shared<Shared>(executor)), stream_(stream) {}

void Watchdog::arm(std::chrono::milliseconds time) {
  const uint64_t round = ++shared_->round;
  shared_->timer.expires_after(time);
  shared_->timer.async_wait(
      [weak = std::weak_ptr(shared_), stream = stream_, round](boost::system::error_code error) {
        const auto shared = weak.lock();
        const auto open = stream.lock();
        // The round tells a wait that ended just before it was cancelled.
        if (!error && shared && open && shared->round == round) open->close();
      });
}

void Watchdog::disarm() {
  ++shared_->round;
  shared_->timer.cancel();
}

asio::awaitable<void> wait_on(asio::steady_timer& timer, std::chrono::milliseconds time) {
  timer.expires_after(time);
  co_await timer.async_wait(asio::as_tuple(use_awaitable));
}

asio::awaitable<tcp::socket> connect_to(const LogEndpoint& endpoint) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  const auto found =
      co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), use_awaitable);
  tcp::socket socket(executor);
  co_await asio::async_connect(socket, found, use_awaitable);
  co_return socket;
}

tcp::acceptor listen_on(asio::io_context& context, const LogEndpoint& endpoint) {
  try {
    tcp::resolver resolver(context);
    const auto found =
        resolver.resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::passive);
    return tcp::acceptor(context, found.begin()->endpoint(), true);
  } catch (const boost::system::system_error& e) {
    throw Error(ErrorCode::kUnavailable,
                format("cannot listen on '{}': {}", endpoint_text(endpoint), e.code().message()));
  }
}

std::unique_ptr<asio::ssl::context> server_tls(const std::filesystem::path& certificate,
                                               const std::filesystem::path& private_key) {
  try {
    auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
    context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    context->use_certificate_chain_file(certificate.string());
    context->use_private_key_file(private_key.string(), asio::ssl::context::pem);
    return context;
  } catch (const boost::system::system_error& e) {
    throw Error(ErrorCode::kUnavailable,
                format("certificate '{}' and key '{}' cannot be used: {}",
                       certificate.string(),
                       private_key.string(),
                       e.code().message()));
  }
}

std::unique_ptr<asio::ssl::context> client_tls(const std::filesystem::path& ca) {
  try {
    auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
    context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                         asio::ssl::context::no_tlsv1_1);
    if (ca.empty()) {
      context->set_default_verify_paths();
    } else {
      context->load_verify_file(ca.string());
    }
    return context;
  } catch (const boost::system::system_error& e) {
    throw Error(ErrorCode::kUnavailable,
                format("certificate '{}' cannot be used: {}", ca.string(), e.code().message()));
  }
}

}  // namespace voxloom::serve::detail
