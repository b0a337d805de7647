#include "voxloom/serve/log/network.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/auth/password.h"
#include "voxloom/serve/log/line_stream.h"

namespace voxloom::serve {
namespace {

using detail::LineStream;
using detail::tcp;
using detail::Watchdog;
using detail::asio::awaitable;
using detail::asio::steady_timer;
namespace asio = detail::asio;

constexpr std::chrono::milliseconds kRequestWait{500};
constexpr std::chrono::hours kForever{24 * 365};
constexpr size_t kBatchBytes = size_t{256} << 10;

/// Counts while it lives.
class Counted {
 public:
  explicit Counted(std::atomic<size_t>& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<size_t>& count_;
};

/// What the reader and the writer of one connection share. The timer stands for "something is
/// new": cancelling it wakes the writer.
struct Connection {
  explicit Connection(const asio::any_io_executor& executor) : wake(executor) {}
  std::shared_ptr<LineStream> stream;
  steady_timer wake;
  std::unique_ptr<LogSubscription> subscription;
  LogRequest request;
  bool closed = false, asked = false;
};

std::string joined(const std::vector<LogSubscription::Line>& lines) {
  std::string text;
  for (const auto& line : lines) (text += *line) += '\n';
  return text;
}

}  // namespace

struct LogNetwork::Impl {
  /// The way to the context for publishers, cut when the network ends.
  struct Bell {
    std::mutex mutex;
    asio::io_context* context = nullptr;
  };

  Impl(LogHub& records, LogNetworkOptions given) : hub(records), options(std::move(given)) {
    check_log_token(options.token);
    VOXLOOM_CHECK(options.certificate.empty() == options.private_key.empty(),
                  ErrorCode::kInvalidArgument,
                  "log listener: give a certificate and its key, or neither");
    if (!options.certificate.empty()) {
      listen_tls = detail::server_tls(options.certificate, options.private_key);
    }
    if (options.push_tls) push_tls = detail::client_tls(options.push_ca);
  }

  /// Called on any thread, perhaps after our end; wakes the connection's writer on our thread.
  std::function<void()> waker(const std::shared_ptr<Connection>& connection) {
    return [bell = bell, weak = std::weak_ptr(connection)] {
      const std::lock_guard lock(bell->mutex);
      if (bell->context == nullptr) return;
      asio::post(*bell->context, [weak] {
        if (const auto alive = weak.lock()) alive->wake.cancel();
      });
    };
  }

  awaitable<void> accept(std::shared_ptr<tcp::acceptor> acceptor) {
    steady_timer pause(context);
    for (;;) {
      boost::system::error_code error;
      tcp::socket socket =
          co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        // Out of descriptors, most likely: others may end soon.
        co_await detail::wait_on(pause, std::chrono::milliseconds(100));
        continue;
      }
      if (unknown >= options.max_unknown || monitors >= options.max_monitors) continue;
      auto connection = std::make_shared<Connection>(context.get_executor());
      connection->stream = detail::make_line_stream(std::move(socket), listen_tls.get(), "");
      asio::co_spawn(context, greet(connection), asio::detached);
    }
  }

  /// From the first byte to the token. Nothing is sent to who has not shown it.
  awaitable<void> greet(std::shared_ptr<Connection> connection) {
    const auto counted = std::make_unique<Counted>(unknown);
    Watchdog watchdog(context.get_executor(), connection->stream);
    watchdog.arm(options.hello_timeout);
    try {
      co_await connection->stream->handshake();
      const std::string token = co_await connection->stream->read_line(256);
      if (!equal_secrets(token, options.token)) {
        // As silent as towards one who says nothing, and as long.
        for (;;) (void)co_await connection->stream->read_line(256);
      }
    } catch (const std::exception&) {
      // A line that is too long ends here at once, all else when the peer or the watchdog closes.
      co_return;
    }
    watchdog.disarm();
    asio::co_spawn(context, serve_monitor(connection), asio::detached);
  }

  awaitable<void> read_requests(std::shared_ptr<Connection> connection) {
    try {
      for (;;) {
        const std::string line = co_await connection->stream->read_line(kMaxHelloBytes);
        connection->request = parse_request_line(line);
        connection->asked = true;
        if (connection->subscription) {
          connection->subscription->set_filter(connection->request.filter);
        }
        connection->wake.cancel();
      }
    } catch (const std::exception&) {
      // The peer went, or sent what is no filter.
    }
    connection->closed = true;
    connection->stream->close();
    connection->wake.cancel();
  }

  awaitable<void> serve_monitor(std::shared_ptr<Connection> connection) {
    const Counted counted(monitors);
    asio::co_spawn(context, read_requests(connection), asio::detached);
    // It may have come with the token.
    if (!connection->asked) co_await detail::wait_on(connection->wake, kRequestWait);
    try {
      connection->subscription = hub.subscribe(connection->request, waker(connection));
      co_await connection->stream->write(
          server_hello_line({connection->subscription->backlog(), hub.run_id()}) + "\n");
      std::string unsent;
      co_await pump(*connection, unsent);
    } catch (const std::exception&) {
      // The peer went.
    }
    if (connection->subscription) connection->subscription->close();
    connection->stream->close();
  }

  /// Sends what the subscription has, until the connection ends. `unsent` is the batch under way.
  awaitable<void> pump(Connection& connection, std::string& unsent) {
    Watchdog watchdog(context.get_executor(), connection.stream);
    while (!connection.closed) {
      if (unsent.empty()) unsent = joined(connection.subscription->take(kBatchBytes));
      if (unsent.empty()) {
        co_await detail::wait_on(connection.wake, kForever);
        continue;
      }
      watchdog.arm(options.write_timeout);
      co_await connection.stream->write(unsent);
      watchdog.disarm();
      unsent.clear();
    }
  }

  /// A front end sends nothing; its end is what is waited for.
  awaitable<void> wait_for_end(std::shared_ptr<Connection> connection,
                               std::shared_ptr<LineStream> stream) {
    try {
      for (;;) (void)co_await stream->read_line(kMaxHelloBytes);
    } catch (const std::exception&) {
    }
    stream->close();
    if (connection->stream != stream) co_return;
    connection->closed = true;
    connection->wake.cancel();
  }

  awaitable<void> push_once(const LogEndpoint& endpoint,
                            std::shared_ptr<Connection> connection,
                            std::string& unsent,
                            bool& was_connected) {
    tcp::socket socket = co_await detail::connect_to(endpoint);
    auto stream = detail::make_line_stream(std::move(socket), push_tls.get(), endpoint.host);
    Watchdog watchdog(context.get_executor(), stream);
    watchdog.arm(options.hello_timeout);
    co_await stream->handshake();
    co_await stream->write(push_hello_line(options.token) + "\n");
    watchdog.disarm();
    connection->stream = stream;
    connection->closed = false;
    asio::co_spawn(context, wait_for_end(connection, stream), asio::detached);
    was_connected = true;
    const Counted counted(front_ends);
    co_await pump(*connection, unsent);
  }

  awaitable<void> keep_pushing(LogEndpoint endpoint, std::shared_ptr<Connection> connection) {
    std::string unsent;
    auto pause = options.first_retry;
    steady_timer timer(context);
    for (;;) {
      bool was_connected = false;
      try {
        co_await push_once(endpoint, connection, unsent, was_connected);
      } catch (const std::exception&) {
        // Not there, not now: again after the pause.
      }
      if (connection->stream) connection->stream->close();
      if (was_connected) pause = options.first_retry;
      co_await detail::wait_on(timer, pause);
      pause = std::min(2 * pause, options.longest_retry);
    }
  }

  LogHub& hub;
  const LogNetworkOptions options;
  std::unique_ptr<asio::ssl::context> listen_tls, push_tls;
  std::atomic<size_t> unknown{0}, monitors{0}, front_ends{0};
  const std::shared_ptr<Bell> bell = std::make_shared<Bell>();
  // After the counters: the coroutines end with it, and count down.
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::thread thread;
};

LogNetwork::LogNetwork(LogHub& hub, LogNetworkOptions options)
    : impl_(std::make_unique<Impl>(hub, std::move(options))) {
  impl_->bell->context = &impl_->context;
  impl_->thread = std::thread([context = &impl_->context] {
    for (;;) {
      try {
        context->run();
        return;
      } catch (const std::exception&) {
        // No memory for one connection: the others go on.
      }
    }
  });
}

LogNetwork::~LogNetwork() {
  {
    const std::lock_guard lock(impl_->bell->mutex);
    impl_->bell->context = nullptr;
  }
  impl_->context.stop();
  impl_->thread.join();
}

uint16_t LogNetwork::listen(const LogEndpoint& endpoint) {
  auto acceptor = std::make_shared<tcp::acceptor>(detail::listen_on(impl_->context, endpoint));
  const uint16_t port = acceptor->local_endpoint().port();
  asio::co_spawn(impl_->context, impl_->accept(acceptor), asio::detached);
  return port;
}

void LogNetwork::push(const LogEndpoint& endpoint) {
  VOXLOOM_CHECK(endpoint.port != 0,
                ErrorCode::kInvalidArgument,
                "log front end '{}': must have a port",
                endpoint_text(endpoint));
  auto connection = std::make_shared<Connection>(impl_->context.get_executor());
  // From now on: what is logged before the first connection waits too.
  connection->subscription = impl_->hub.subscribe({}, impl_->waker(connection));
  asio::co_spawn(impl_->context, impl_->keep_pushing(endpoint, connection), asio::detached);
}

size_t LogNetwork::monitors() const {
  return impl_->monitors;
}

size_t LogNetwork::front_ends() const {
  return impl_->front_ends;
}

}  // namespace voxloom::serve
