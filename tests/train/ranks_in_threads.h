#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "voxloom/train/distributed/communicator.h"

namespace voxloom::train {

/// A socket that holds a port of 127.0.0.1 while it lives.
class HeldPort {
 public:
  HeldPort() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* general = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd_, general, size) == 0 && ::listen(fd_, 1) == 0 &&
        ::getsockname(fd_, general, &size) == 0) {
      port_ = ntohs(address.sin_port);
    }
  }
  ~HeldPort() { ::close(fd_); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

inline uint16_t free_port() {
  return HeldPort().port();
}

struct Ranks {
  int64_t size = 2;
  int64_t missing = -1;  ///< A rank that does not come.
  JoinOptions options{.join_timeout_s = 60.0};
  /// Of each rank; empty: the same.
  std::vector<nlohmann::ordered_json> settings;
  uint16_t port = free_port();
};

/// Runs `work` once per rank, on a thread each, and gives what each threw ("" for nothing). A
/// communicator knows nothing of processes, so threads serve as well.
inline std::vector<std::string> run_ranks(const Ranks& ranks,
                                          const std::function<void(Communicator&)>& work) {
  std::vector<std::string> errors(static_cast<size_t>(ranks.size));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < ranks.size; ++rank) {
    if (rank == ranks.missing) continue;
    threads.emplace_back([&, rank] {
      const auto i = static_cast<size_t>(rank);
      try {
        const RankInfo place{.rank = rank,
                             .world_size = ranks.size,
                             .local_rank = rank,
                             .master_host = "127.0.0.1",
                             .master_port = ranks.port};
        const auto settings =
            ranks.settings.empty() ? nlohmann::ordered_json::object() : ranks.settings[i];
        const auto communicator = join_ranks(place, ranks.options, settings);
        together(communicator.get(), [&] { work(*communicator); });
      } catch (const std::exception& e) {
        errors[i] = e.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

}  // namespace voxloom::train
