#include "voxloom/serve/http/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "voxloom/core/log.h"
#include "voxloom/serve/http/connection.h"
#include "voxloom/serve/http/spool.h"

namespace voxloom::serve::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

/// How long handlers have to notice that their request was cancelled.
constexpr std::chrono::seconds kCancelTime{5};

void set_up_tls(asio::ssl::context& tls, const ServerOptions& options) {
  try {
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                    asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                    asio::ssl::context::no_tlsv1_1);
    tls.use_certificate_chain_file(options.certificate.string());
    tls.use_private_key_file(options.private_key.string(), asio::ssl::context::pem);
  } catch (const boost::system::system_error& e) {
    throw Error(ErrorCode::kInvalidArgument,
                voxloom::format("tls: certificate '{}' and key '{}' must be PEM files that fit, "
                                "got '{}'",
                                options.certificate.string(),
                                options.private_key.string(),
                                e.code().message()));
  }
}

}  // namespace

struct Server::Impl {
  Impl(ServerOptions options, Router router, Authoriser authoriser, Observer observer)
      : core(std::move(options), std::move(router), std::move(authoriser), std::move(observer)) {}

  void bind();
  void listen(const tcp::endpoint& endpoint);
  asio::awaitable<void> accept(tcp::acceptor& acceptor);
  void take(tcp::socket socket, IoThread& io);
  void on_all(void (Connection::*action)());
  void stop(std::chrono::seconds patience);

  ServerCore core;
  asio::ssl::context tls{asio::ssl::context::tls_server};
  bool secure = false;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::vector<std::unique_ptr<tcp::acceptor>> acceptors;  ///< Of the first IO thread.
  size_t next_thread = 0;
  uint16_t port = 0;
  bool running = false;
};

/// Listens on every address that the host name stands for.
void Server::Impl::bind() {
  const std::string where = voxloom::format("{}:{}", core.options.host, core.options.port);
  boost::system::error_code ec;
  tcp::resolver resolver(threads.front()->context);
  const auto found = resolver.resolve(core.options.host,
                                      std::to_string(core.options.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service,
                                      ec);
  VOXLOOM_CHECK(!ec && !found.empty(),
                ErrorCode::kUnavailable,
                "server: '{}' must be an address of this machine, got '{}'",
                where,
                ec.message());
  std::string reason;
  for (const auto& entry : found) {
    tcp::endpoint endpoint = entry.endpoint();
    if (port != 0) endpoint.port(port);
    try {
      listen(endpoint);
    } catch (const boost::system::system_error& e) {
      reason = e.code().message();
      // A name may stand for an address that this machine does not have (IPv6 switched off), but
      // a port that is taken is an error even where another address would do.
      if (e.code() == asio::error::address_in_use || e.code() == asio::error::access_denied) {
        acceptors.clear();
        break;
      }
    }
  }
  VOXLOOM_CHECK(!acceptors.empty(),
                ErrorCode::kUnavailable,
                "server: it must be possible to listen on '{}', got '{}'",
                where,
                reason);
}

void Server::Impl::listen(const tcp::endpoint& endpoint) {
  auto acceptor = std::make_unique<tcp::acceptor>(threads.front()->context);
  acceptor->open(endpoint.protocol());
  acceptor->set_option(tcp::acceptor::reuse_address(true));
  boost::system::error_code ignored;
  if (endpoint.address().is_v6()) {
    // "::" means everywhere, IPv4 too.
    const bool everywhere = endpoint.address().is_unspecified();
    acceptor->set_option(asio::ip::v6_only(!everywhere), ignored);
  }
  acceptor->bind(endpoint);
  acceptor->listen(tcp::acceptor::max_listen_connections);
  port = acceptor->local_endpoint().port();
  acceptors.push_back(std::move(acceptor));
}

asio::awaitable<void> Server::Impl::accept(tcp::acceptor& acceptor) {
  asio::steady_timer pause(threads.front()->context);
  while (acceptor.is_open()) {
    IoThread& io = *threads[next_thread++ % threads.size()];
    boost::system::error_code ec;
    tcp::socket socket =
        co_await acceptor.async_accept(io.context, asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted) co_return;
    if (ec) {
      // Out of file descriptors, mostly: others will be closed.
      pause.expires_after(std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      continue;
    }
    take(std::move(socket), io);
  }
}

void Server::Impl::take(tcp::socket socket, IoThread& io) {
  if (core.open_connections() >= core.options.max_connections) {
    constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
        "vary: Origin\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 35\r\n\r\n"
        "{\"detail\":\"too many connections\"}\r\n";
    static_assert(sizeof("{\"detail\":\"too many connections\"}\r\n") - 1 == 35);
    boost::system::error_code ignored;
    if (!secure) {
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kFull.data(), kFull.size()), ignored);
      socket.shutdown(tcp::socket::shutdown_send, ignored);
    }
    return;
  }
  core.opened();
  auto shared = std::make_shared<tcp::socket>(std::move(socket));
  asio::post(io.context, [this, shared, &io] {
    try {
      if (secure) {
        serve_tls(std::move(*shared), tls, core, io);
      } else {
        serve_plain(std::move(*shared), core, io);
      }
    } catch (const std::bad_alloc&) {
      VOXLOOM_LOG_ERROR("connection: no memory");
    }
  });
}

void Server::Impl::on_all(void (Connection::*action)()) {
  for (const auto& io : threads) {
    asio::post(io->context, [&io = *io, action] {
      // A copy: an action may end a connection, which leaves the set.
      const std::vector<Connection*> all(io.connections.begin(), io.connections.end());
      for (Connection* connection : all) {
        if (io.connections.count(connection) > 0) (connection->*action)();
      }
    });
  }
}

void Server::Impl::stop(std::chrono::seconds patience) {
  if (!running) return;
  running = false;
  core.draining = true;
  asio::post(threads.front()->context, [this] {
    boost::system::error_code ignored;
    for (const auto& acceptor : acceptors) acceptor->close(ignored);
  });
  const auto from_now = [](std::chrono::seconds time) {
    return std::chrono::steady_clock::now() + time;
  };
  on_all(&Connection::drain);
  if (!core.wait_until_closed(from_now(patience))) {
    on_all(&Connection::cancel);
    if (!core.wait_until_closed(from_now(kCancelTime))) {
      on_all(&Connection::kill);
      // Only a handler that does not return can keep a connection now.
      core.wait_until_closed(std::chrono::steady_clock::time_point::max());
    }
  }
  for (const auto& io : threads) io->guard.reset();
  for (const auto& io : threads) io->thread.join();
}

Server::Server(ServerOptions options, Router router, Authoriser authoriser, Observer observer)
    : impl_(std::make_unique<Impl>(
          std::move(options), std::move(router), std::move(authoriser), std::move(observer))) {}

Server::~Server() {
  impl_->stop(std::chrono::seconds(0));
}

void Server::start() {
  const ServerOptions& options = impl_->core.options;
  VOXLOOM_CHECK(options.certificate.empty() == options.private_key.empty(),
                ErrorCode::kInvalidArgument,
                "server: certificate and key must be given together, got one of them");
  if (!options.certificate.empty()) {
    set_up_tls(impl_->tls, options);
    impl_->secure = true;
  }
  prepare_spool(options.spool);
  const int count = std::max(1, options.io_threads);
  for (int i = 0; i < count; ++i) impl_->threads.push_back(std::make_unique<IoThread>());
  impl_->bind();
  asio::io_context& first = impl_->threads.front()->context;
  for (const auto& acceptor : impl_->acceptors) {
    asio::co_spawn(first, impl_->accept(*acceptor), asio::detached);
  }
  impl_->running = true;
  for (const auto& io : impl_->threads) {
    io->thread = std::thread([&context = io->context] {
      while (true) {
        try {
          context.run();
          return;
        } catch (const std::exception& e) {
          // Nothing that is started here may throw; should it, the other connections live on.
          VOXLOOM_LOG_ERROR("io thread: an error went through: {}", typeid(e).name());
        }
      }
    });
  }
}

uint16_t Server::port() const {
  return impl_->port;
}

void Server::drain() {
  impl_->stop(impl_->core.options.drain_timeout);
}

const Router& Server::router() const {
  return impl_->core.router;
}

}  // namespace voxloom::serve::http
