// A load generator: keeps CONNECTIONS busy with GET requests for SECONDS and prints JSON:
// requests, rate, latencies in ms, errors. One thread, epoll; for loopback benches.
//
//   http_load --port 8000 [--host 127.0.0.1] [--path /info/] [--connections 32] [--seconds 5]
//             [--close]        a new connection for every request
//             [--interval MS]  each connection waits between requests (a paced load)
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nlohmann/json.hpp>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string host = "127.0.0.1", path = "/info/";
  int port = 8000, connections = 32;
  double seconds = 5.0, interval_ms = 0.0;
  bool close = false;
};

struct Connection {
  int fd = -1;
  size_t sent = 0, expected = 0;
  std::string answer;
  Clock::time_point started, next;
  bool busy = false;    ///< A request is on its way.
  bool paused = false;  ///< Until `next`.
};

/// Length of the whole answer once its header is there; 0 before; 1 for "until closed".
size_t whole_length(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  std::string head = answer.substr(0, end);
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  const size_t field = head.find("\r\ncontent-length:");
  if (field == std::string::npos) return 1;
  return end + 4 + std::strtoull(head.c_str() + field + 17, nullptr, 10);
}

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), poll_(::epoll_create1(0)) {
    request_ = "GET " + options_.path + " HTTP/1.1\r\nHost: " + options_.host + ":" +
               std::to_string(options_.port) + "\r\nAccept: */*\r\n" +
               (options_.close ? "Connection: close\r\n" : "") + "\r\n";
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<uint16_t>(options_.port));
    ::inet_pton(AF_INET, options_.host.c_str(), &address_.sin_addr);
  }

  nlohmann::ordered_json run() {
    std::vector<Connection> connections(static_cast<size_t>(options_.connections));
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(options_.seconds));
    for (Connection& c : connections) begin(c);
    std::vector<epoll_event> events(1024);
    std::vector<Connection*> turn;
    while (Clock::now() < end) {
      const int wait_ms = !ready_.empty() ? 0 : paused_ > 0 ? 1 : 50;
      const int count =
          ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), wait_ms);
      for (int i = 0; i < count; ++i) {
        auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
        if (connection->busy) advance(*connection);
      }
      if (paused_ > 0) {
        const auto now = Clock::now();
        for (Connection& c : connections) {
          if (!c.paused || now < c.next) continue;
          c.paused = false;
          --paused_;
          ready_.push_back(&c);
        }
      }
      turn.swap(ready_);
      for (Connection* c : turn) begin(*c);
      turn.clear();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (Connection& c : connections) drop(c);
    return report(seconds);
  }

 private:
  void begin(Connection& c) {
    c.started = Clock::now();
    c.busy = true;
    c.sent = c.expected = 0;
    c.answer.clear();
    if (c.fd < 0) {
      c.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      const int one = 1;
      ::setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      const int result =
          ::connect(c.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_));
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLET;
      event.data.ptr = &c;
      ::epoll_ctl(poll_, EPOLL_CTL_ADD, c.fd, &event);
      if (result != 0 && errno != EINPROGRESS) {
        fail(c);
        return;
      }
    }
    advance(c);
  }

  void advance(Connection& c) {
    while (c.sent < request_.size()) {
      const ssize_t n =
          ::send(c.fd, request_.data() + c.sent, request_.size() - c.sent, MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
      if (n <= 0) return fail(c);
      c.sent += static_cast<size_t>(n);
    }
    char buffer[65536];
    while (true) {
      const ssize_t n = ::recv(c.fd, buffer, sizeof(buffer), 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0) return fail(c);
      c.answer.append(buffer, static_cast<size_t>(n));
      if (c.expected == 0) c.expected = whole_length(c.answer);
      const bool whole = c.expected > 1 ? c.answer.size() >= c.expected : n == 0 && c.expected == 1;
      if (whole) return finish(c, n == 0);
      if (n == 0) return fail(c);
    }
  }

  void finish(Connection& c, bool closed) {
    latencies_ms_.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - c.started).count());
    bytes_ += c.answer.size();
    if (c.answer.compare(9, 3, "200") != 0) ++not_ok_;
    if (closed || options_.close) drop(c);
    again(c, c.started, options_.interval_ms);
  }

  void fail(Connection& c) {
    ++errors_;
    drop(c);
    // A server that is down is not called without a pause.
    again(c, Clock::now(), std::max(options_.interval_ms, 10.0));
  }

  /// Never begins the next request itself: where answers come at once, calls would nest without
  /// end.
  void again(Connection& c, Clock::time_point from, double pause_ms) {
    c.busy = false;
    if (pause_ms <= 0) {
      ready_.push_back(&c);
      return;
    }
    c.next = from + std::chrono::duration_cast<Clock::duration>(
                        std::chrono::duration<double, std::milli>(pause_ms));
    c.paused = true;
    ++paused_;
  }

  void drop(Connection& c) {
    if (c.fd >= 0) ::close(c.fd);
    c.fd = -1;
  }

  double quantile(double q) const {
    if (latencies_ms_.empty()) return 0.0;
    const auto last = static_cast<double>(latencies_ms_.size() - 1);
    return latencies_ms_[static_cast<size_t>(q * last + 0.5)];
  }

  nlohmann::ordered_json report(double seconds) {
    std::sort(latencies_ms_.begin(), latencies_ms_.end());
    return {{"path", options_.path},
            {"connections", options_.connections},
            {"keep_alive", !options_.close},
            {"seconds", seconds},
            {"requests", latencies_ms_.size()},
            {"rate", static_cast<double>(latencies_ms_.size()) / seconds},
            {"p50_ms", quantile(0.5)},
            {"p99_ms", quantile(0.99)},
            {"max_ms", quantile(1.0)},
            {"bytes", bytes_},
            {"not_200", not_ok_},
            {"errors", errors_}};
  }

  Options options_;
  int poll_;
  sockaddr_in address_{};
  std::string request_;
  std::vector<Connection*> ready_;
  size_t paused_ = 0;
  std::vector<double> latencies_ms_;
  uint64_t bytes_ = 0, errors_ = 0, not_ok_ = 0;
};

int usage() {
  std::cerr << "usage: http_load --port N [--host A] [--path P] [--connections N] [--seconds S] "
               "[--close] [--interval MS]\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--close") {
      options.close = true;
      continue;
    }
    if (i + 1 >= argc) return usage();
    const std::string value = argv[++i];
    if (flag == "--host") {
      options.host = value;
    } else if (flag == "--path") {
      options.path = value;
    } else if (flag == "--port") {
      options.port = std::atoi(value.c_str());
    } else if (flag == "--connections") {
      options.connections = std::max(1, std::atoi(value.c_str()));
    } else if (flag == "--seconds") {
      options.seconds = std::atof(value.c_str());
    } else if (flag == "--interval") {
      options.interval_ms = std::atof(value.c_str());
    } else {
      return usage();
    }
  }
  std::cout << Load(options).run().dump(2) << "\n";
  return 0;
}
