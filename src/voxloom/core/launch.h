#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/child_process.h"
#include "voxloom/core/rank_environment.h"

namespace voxloom {

struct LaunchOptions {
  std::vector<std::string> command;  ///< Program and arguments, the same for all ranks.
  int64_t processes = 1;             ///< Ranks on this machine, and on each of the others.
  int64_t nodes = 1;                 ///< Machines.
  int64_t node_rank = 0;             ///< Which of them this is.
  HostPort master;  ///< Where ranks meet; no host: a free port of 127.0.0.1 (one machine only).
  int64_t threads_per_rank = 1;
  std::chrono::milliseconds grace{20000};  ///< From SIGTERM to SIGKILL.
  /// A line that rank `rank` of all machines wrote. One call at a time.
  std::function<void(int64_t rank, ChildStream stream, std::string_view line)> on_line;
};

struct LaunchResult {
  int exit_code = 0;    ///< 0 when all ranks ended with 0; else that of the rank that failed first.
  int64_t rank = -1;    ///< Which one; -1: none.
  std::string message;  ///< "rank 1 was ended by signal 9 (Killed); ..."
};

/// Starts a command `processes` times, with RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE,
/// MASTER_ADDR, MASTER_PORT and the thread counts OMP_NUM_THREADS and VOXLOOM_THREADS in the
/// environment, and waits for all. When one fails, or `stop` is set, the others get SIGTERM and
/// after `grace` SIGKILL. A rank that a signal ended counts as the one that failed, before those
/// that ended with an error: they may have failed because it went. The exit code of a signal is 128
/// + its number, as in a shell.
///
/// Throws kNotFound where the program does not exist, kUnavailable where a process or a port can't
/// be had.
[[nodiscard]] LaunchResult launch_ranks(const LaunchOptions& options, const CancelToken& stop);

}  // namespace voxloom
