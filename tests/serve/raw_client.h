#pragma once

// A blocking client that sees every byte, for tests of the wire.

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace voxloom::serve::http {

/// An answer taken apart. Header names are in small letters.
struct RawAnswer {
  int status = 0;
  std::string head, body;

  [[nodiscard]] std::string header(std::string name) const {
    name = "\r\n" + name + ": ";
    const size_t at = head.find(name);
    if (at == std::string::npos) return "";
    const size_t start = at + name.size();
    return head.substr(start, head.find("\r\n", start) - start);
  }
};

class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    // Nothing here waits for ever, so that a fault shows as a failed test.
    const timeval patience{60, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void end_sending() { ::shutdown(fd_, SHUT_WR); }
  [[nodiscard]] int fd() const { return fd_; }

  /// False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  /// One answer, by its Content-Length. Bytes behind it stay for the next call. Status 0: none.
  RawAnswer read(bool head_only = false) {
    RawAnswer answer;
    size_t end = 0;
    while ((end = have_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return answer;
    }
    const std::string head = have_.substr(0, end + 2);
    have_.erase(0, end + 4);
    answer.status = std::atoi(head.c_str() + 9);
    bool name = false;
    for (const char c : head) {
      if (c == '\n') name = true;
      if (c == ':') name = false;
      answer.head += name ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : c;
    }
    if (head_only || answer.status == 304 || answer.status / 100 == 1) return answer;
    const size_t length = std::strtoull(answer.header("content-length").c_str(), nullptr, 10);
    while (have_.size() < length) {
      if (!more()) return answer;
    }
    answer.body = have_.substr(0, length);
    have_.erase(0, length);
    return answer;
  }

  RawAnswer ask(std::string_view bytes) {
    send(bytes);
    return read();
  }

  /// Everything until the server closes.
  std::string read_all() {
    while (more()) {
    }
    return std::move(have_);
  }

  /// Whether the server closed: waits for it.
  bool closed() { return read_all().empty(); }

 private:
  bool more() {
    char buffer[65536];
    const ssize_t n = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    have_.append(buffer, static_cast<size_t>(n));
    return true;
  }

  int fd_;
  std::string have_;
};

inline std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}

inline std::string post(std::string_view path,
                        std::string_view type,
                        std::string_view body,
                        std::string_view more = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: x\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) +
         "\r\n" + std::string(body);
}

}  // namespace voxloom::serve::http
