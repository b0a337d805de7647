#include "voxloom/serve/log/follow.h"

#include <algorithm>
#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/auth/password.h"
#include "voxloom/serve/log/line_stream.h"

namespace voxloom::serve {
namespace {

using detail::LineStream;
using detail::tcp;
using detail::Watchdog;
namespace asio = detail::asio;
using asio::awaitable;

constexpr size_t kMaxLineBytes = size_t{1} << 20;
constexpr std::chrono::milliseconds kStopLook{100};

/// A context that runs on the calling thread until its work is done or `stop` is set.
class Loop {
 public:
  explicit Loop(CancelToken stop) : stop_(std::move(stop)) {}

  [[nodiscard]] asio::io_context& context() { return context_; }
  /// Runs `work`; what it throws comes out here.
  void run(awaitable<void> work) {
    asio::co_spawn(context_, watch_stop(), asio::detached);
    asio::co_spawn(context_, std::move(work), [this](std::exception_ptr thrown) {
      failure_ = std::move(thrown);
      context_.stop();
    });
    context_.run();
    if (failure_) std::rethrow_exception(failure_);
  }
  /// Ends run() with an error of a coroutine that it does not await.
  void fail(std::exception_ptr thrown) {
    failure_ = std::move(thrown);
    context_.stop();
  }

 private:
  awaitable<void> watch_stop() {
    asio::steady_timer timer(context_);
    while (!stop_.cancelled()) co_await detail::wait_on(timer, kStopLook);
    context_.stop();
  }

  CancelToken stop_;
  std::exception_ptr failure_;
  asio::io_context context_{1};
};

class Follower {
 public:
  Follower(const FollowOptions& options, const FollowEvents& events, CancelToken stop)
      : options_(options), events_(events), loop_(std::move(stop)) {
    if (options.tls) tls_ = detail::client_tls(options.ca);
  }

  uint64_t run() {
    loop_.run(follow());
    return records_;
  }

 private:
  void say(const std::string& text) {
    if (events_.on_state) events_.on_state(text);
  }

  awaitable<void> follow() {
    const std::string name = endpoint_text(options_.server);
    bool ever = false;
    auto pause = options_.first_retry;
    asio::steady_timer timer(loop_.context());
    for (;;) {
      bool connected = false;
      std::string trouble;
      try {
        co_await follow_once(connected);
        if (options_.once) co_return;
      } catch (const boost::system::system_error& e) {
        trouble = e.code().message();
      }
      ever = ever || connected;
      VOXLOOM_CHECK(ever, ErrorCode::kUnavailable, "no log from '{}': {}{}", name, trouble, hint_);
      if (connected) {
        pause = options_.first_retry;
        say(format("the connection to {} was lost ({}); trying again", name, trouble));
      }
      co_await detail::wait_on(timer, pause);
      pause = std::min(2 * pause, options_.longest_retry);
    }
  }

  awaitable<void> follow_once(bool& connected) {
    hint_.clear();
    const auto stream = detail::make_line_stream(
        co_await detail::connect_to(options_.server), tls_.get(), options_.server.host);
    Watchdog watchdog(loop_.context().get_executor(), stream);
    watchdog.arm(options_.hello_timeout);
    co_await stream->handshake();
    LogRequest request = options_.request;
    // After a break: what was missed, as far as the server still has it.
    if (!run_.empty()) request.backlog = std::max<size_t>(request.backlog, 10000);
    hint_ = "; it says nothing to a wrong token, and nothing without TLS where it speaks TLS";
    co_await stream->write(options_.token + "\n" + request_line(request) + "\n");
    const auto hello = parse_server_hello(co_await stream->read_line(kMaxLineBytes));
    VOXLOOM_CHECK(hello.has_value(),
                  ErrorCode::kUnavailable,
                  "'{}' does not send a log",
                  endpoint_text(options_.server));
    watchdog.disarm();
    connected = true;
    const bool same_run = hello->run == run_;
    if (!same_run) last_ = 0;
    say(run_.empty() ? "following " + endpoint_text(options_.server)
        : same_run   ? std::string("connected again")
                     : std::string("connected again; the server was started anew"));
    run_ = hello->run;
    for (size_t line = 0; !options_.once || line < hello->backlog; ++line) {
      take(co_await stream->read_line(kMaxLineBytes));
    }
  }

  void take(const std::string& line) {
    const auto json = read_json(line).value;
    if (json.is_object() && json.contains("seq") && json["seq"].is_number_unsigned() &&
        json.value("event", http::Json()) != "dropped") {
      const auto sequence = json["seq"].get<uint64_t>();
      if (sequence <= last_) return;  // seen before the break
      last_ = sequence;
    }
    ++records_;
    if (events_.on_line) events_.on_line(line);
  }

  const FollowOptions& options_;
  const FollowEvents& events_;
  std::unique_ptr<asio::ssl::context> tls_;
  std::string run_, hint_;
  uint64_t last_ = 0, records_ = 0;
  Loop loop_;
};

class Receiver {
 public:
  Receiver(const ReceiveOptions& options, const FollowEvents& events, CancelToken stop)
      : options_(options), events_(events), loop_(std::move(stop)) {
    check_log_token(options.token);
    VOXLOOM_CHECK(options.certificate.empty() == options.private_key.empty(),
                  ErrorCode::kInvalidArgument,
                  "log receiver: give a certificate and its key, or neither");
    if (!options.certificate.empty()) {
      tls_ = detail::server_tls(options.certificate, options.private_key);
    }
  }

  uint64_t run() {
    tcp::acceptor acceptor = detail::listen_on(loop_.context(), options_.at);
    if (events_.on_listening) events_.on_listening(acceptor.local_endpoint().port());
    loop_.run(accept(acceptor));
    return records_;
  }

 private:
  void say(const std::string& text) {
    if (events_.on_state) events_.on_state(text);
  }

  awaitable<void> accept(tcp::acceptor& acceptor) {
    asio::steady_timer pause(loop_.context());
    for (;;) {
      boost::system::error_code error;
      tcp::socket socket =
          co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) {
        co_await detail::wait_on(pause, std::chrono::milliseconds(100));
        continue;
      }
      if (peers_ >= options_.max_peers) continue;
      boost::system::error_code ignored;
      const std::string name = socket.remote_endpoint(ignored).address().to_string();
      ++peers_;
      asio::co_spawn(loop_.context(),
                     receive(detail::make_line_stream(std::move(socket), tls_.get(), ""), name),
                     [this](std::exception_ptr thrown) {
                       --peers_;
                       // Only a callback of ours throws past receive().
                       if (thrown) loop_.fail(std::move(thrown));
                     });
    }
  }

  awaitable<void> receive(std::shared_ptr<LineStream> stream, std::string name) {
    Watchdog watchdog(loop_.context().get_executor(), stream);
    watchdog.arm(options_.hello_timeout);
    bool known = false;
    try {
      co_await stream->handshake();
      const std::string token = parse_push_hello(co_await stream->read_line(kMaxHelloBytes));
      known = equal_secrets(token, options_.token);
      if (known) {
        watchdog.disarm();
        say("a server at " + name + " sends its log");
      }
      for (;;) {
        const std::string line = co_await stream->read_line(kMaxLineBytes);
        if (!known) continue;  // until the watchdog closes
        ++records_;
        if (events_.on_line) events_.on_line(line);
      }
    } catch (const boost::system::system_error&) {
    }
    if (known) say("the server at " + name + " is gone");
  }

  const ReceiveOptions& options_;
  const FollowEvents& events_;
  std::unique_ptr<asio::ssl::context> tls_;
  size_t peers_ = 0;
  uint64_t records_ = 0;
  Loop loop_;
};

}  // namespace

uint64_t follow_log(const FollowOptions& options, const FollowEvents& events, CancelToken stop) {
  check_log_token(options.token);
  return Follower(options, events, std::move(stop)).run();
}

uint64_t receive_log(const ReceiveOptions& options, const FollowEvents& events, CancelToken stop) {
  return Receiver(options, events, std::move(stop)).run();
}

}  // namespace voxloom::serve
