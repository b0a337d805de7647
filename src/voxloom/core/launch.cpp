#include "voxloom/core/launch.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

/// A port that nobody listens on just now.
uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* general = reinterpret_cast<sockaddr*>(&address);
  const bool good =
      fd >= 0 && ::bind(fd, general, sizeof address) == 0 && ::getsockname(fd, general, &size) == 0;
  const int failed = errno;
  if (fd >= 0) ::close(fd);
  VOXLOOM_CHECK(good,
                ErrorCode::kUnavailable,
                "launch: a free port of 127.0.0.1 must be had, got: {}",
                std::strerror(failed));
  return ntohs(address.sin_port);
}

/// How one rank ended, and as which.
struct Ended {
  ChildResult result;
  std::exception_ptr not_started;
  int64_t order = 0;
  [[nodiscard]] bool failed() const { return not_started || !result.ok(); }
};

/// Runs the ranks of this machine on a thread each, which waits for its child.
class Launch {
 public:
  Launch(const LaunchOptions& options, const CancelToken& stop)
      : options_(options), stop_(stop), ends_(static_cast<size_t>(options.processes)) {
    if (options_.master.host.empty()) options_.master = {"127.0.0.1", free_port()};
  }

  void run() {
    std::vector<std::thread> threads;
    for (int64_t i = 0; i < options_.processes; ++i) threads.emplace_back([this, i] { run(i); });
    for (auto& thread : threads) thread.join();
  }

  /// The rank that failed first, nothing when all went well.
  [[nodiscard]] std::optional<int64_t> culprit() const {
    std::optional<int64_t> found;
    const auto weight = [&](int64_t i) {
      const Ended& end = ends_[static_cast<size_t>(i)];
      const auto kind = end.result.end;
      const int group = end.not_started                        ? 0
                        : kind == ChildResult::End::kSignalled ? 1
                        : kind == ChildResult::End::kExited    ? 2
                                                               : 3;
      return std::pair(group, end.order);
    };
    for (int64_t i = 0; i < options_.processes; ++i) {
      if (!ends_[static_cast<size_t>(i)].failed()) continue;
      if (!found || weight(i) < weight(*found)) found = i;
    }
    return found;
  }

  [[nodiscard]] const Ended& end(int64_t local) const { return ends_[static_cast<size_t>(local)]; }
  [[nodiscard]] int64_t rank(int64_t local) const {
    return options_.node_rank * options_.processes + local;
  }

 private:
  [[nodiscard]] ChildOptions child(int64_t local) {
    const std::string threads = std::to_string(options_.threads_per_rank);
    ChildOptions child{.argv = options_.command, .grace = options_.grace};
    child.environment = {{"RANK", std::to_string(rank(local))},
                         {"LOCAL_RANK", std::to_string(local)},
                         {"WORLD_SIZE", std::to_string(options_.nodes * options_.processes)},
                         {"LOCAL_WORLD_SIZE", std::to_string(options_.processes)},
                         {"MASTER_ADDR", options_.master.host},
                         {"MASTER_PORT", std::to_string(options_.master.port)},
                         {"OMP_NUM_THREADS", threads},
                         {"VOXLOOM_THREADS", threads}};
    child.on_line = [this, local](ChildStream stream, std::string_view line) {
      const std::lock_guard lock(mutex_);
      if (options_.on_line) options_.on_line(rank(local), stream, line);
    };
    child.on_tick = [this] { return !failed_ && !stop_.cancelled(); };
    return child;
  }

  void run(int64_t local) {
    Ended end;
    try {
      end.result = run_child(child(local), CancelToken());
    } catch (...) {
      end.not_started = std::current_exception();
    }
    if (end.failed()) failed_ = true;
    const std::lock_guard lock(mutex_);
    end.order = ended_++;
    ends_[static_cast<size_t>(local)] = std::move(end);
  }

  LaunchOptions options_;
  const CancelToken& stop_;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  ///< Of what follows.
  int64_t ended_ = 0;
  std::vector<Ended> ends_;
};

}  // namespace

LaunchResult launch_ranks(const LaunchOptions& options, const CancelToken& stop) {
  VOXLOOM_CHECK(options.processes >= 1 && options.nodes >= 1 && options.node_rank >= 0 &&
                    options.node_rank < options.nodes,
                ErrorCode::kInvalidArgument,
                "launch: processes and nodes must be 1 or more and the node one of them, got {} "
                "processes on node {} of {}",
                options.processes,
                options.node_rank,
                options.nodes);
  VOXLOOM_CHECK(options.nodes == 1 || !options.master.host.empty(),
                ErrorCode::kInvalidArgument,
                "launch: several nodes need a master HOST:PORT that all can reach, got none");
  Launch launch(options, stop);
  launch.run();
  const auto local = launch.culprit();
  if (!local) return {};
  const Ended& end = launch.end(*local);
  if (end.not_started) std::rethrow_exception(end.not_started);
  LaunchResult out{.exit_code = end.result.exit_code, .rank = launch.rank(*local), .message = {}};
  if (out.exit_code == 0) out.exit_code = end.result.signal > 0 ? 128 + end.result.signal : 1;
  out.message = format("rank {} {}", out.rank, end.result.words());
  if (options.processes > 1) out.message += "; the other ranks were ended";
  return out;
}

}  // namespace voxloom
