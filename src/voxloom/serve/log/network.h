#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "voxloom/serve/log/hello.h"
#include "voxloom/serve/log/hub.h"

namespace voxloom::serve {

struct LogNetworkOptions {
  std::string token;                               ///< Of both directions; see check_log_token.
  std::filesystem::path certificate, private_key;  ///< PEM: listeners speak TLS. Both or neither.
  bool push_tls = false;                           ///< Connections to front ends use TLS,
  std::filesystem::path push_ca;                   ///< and trust this (empty: the system's).
  std::chrono::milliseconds hello_timeout{10'000};
  std::chrono::milliseconds write_timeout{120'000};  ///< A peer that takes nothing so long is cut.
  std::chrono::milliseconds first_retry{250}, longest_retry{30'000};
  size_t max_unknown = 64;    ///< Connections that have not shown a token yet.
  size_t max_monitors = 256;  ///< That have.
};

/// The log over TCP, both ways, on one thread of its own: monitors that connect in, front ends
/// that it connects to. hello.h has the protocol.
class LogNetwork {
 public:
  /// Throws kInvalidArgument for a token that is none, kUnavailable for files that can't be used.
  /// The hub must outlive this.
  LogNetwork(LogHub& hub, LogNetworkOptions options);
  ~LogNetwork();
  LogNetwork(const LogNetwork&) = delete;
  LogNetwork& operator=(const LogNetwork&) = delete;

  /// Takes monitors from now on; returns the port. Throws kUnavailable naming the address.
  uint16_t listen(const LogEndpoint& endpoint);
  /// Keeps a connection to a front end from now on. What is logged while there is none waits in a
  /// bounded queue.
  void push(const LogEndpoint& endpoint);

  [[nodiscard]] size_t monitors() const;    ///< Authorised, now.
  [[nodiscard]] size_t front_ends() const;  ///< Connected, now.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxloom::serve
