#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxloom/core/cancel.h"

namespace voxloom {

enum class ChildStream { kOut, kErr };

struct ChildOptions {
  /// Program and arguments; a program without "/" is looked for in PATH. No shell reads them.
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;  ///< Added, or replaced.
  std::filesystem::path folder;           ///< Where it works; empty: where this process does.
  std::chrono::milliseconds timeout{0};   ///< 0: none.
  std::chrono::milliseconds grace{5000};  ///< From SIGTERM to SIGKILL.
  size_t max_line_bytes = 8192;
  /// Standard output and error, as LineSplitter hands them on. Exceptions end the child and pass.
  std::function<void(ChildStream stream, std::string_view line)> on_line;
  /// About every 100 ms while it runs; false stops the child as `stop` does.
  std::function<bool()> on_tick;
};

struct ChildResult {
  enum class End { kExited, kSignalled, kStopped, kTimedOut };
  End end = End::kExited;
  int exit_code = 0;  ///< Of kExited.
  int signal = 0;     ///< That ended it; 0: it exited.
  [[nodiscard]] bool ok() const { return end == End::kExited && exit_code == 0; }
  /// "ended with status 3", "was ended by signal 9 (Killed)", "was stopped", "took longer than
  /// ...".
  [[nodiscard]] std::string words() const;
};

/// Runs a program and waits for it. It gets a process group of its own and no standard input. When
/// `stop` is set, or the time is over, the group gets SIGTERM and after `grace` SIGKILL. What it
/// leaves behind in its group when it ends is killed too. It is killed by the system when the
/// calling thread ends without having waited (this process was killed). Any thread may call this at
/// any time. Throws kNotFound where the program or the folder does not exist, kUnavailable where it
/// can't be started.
ChildResult run_child(const ChildOptions& options, const CancelToken& stop);

/// The file that `program` names: itself if it has a "/", else the first executable in PATH.
/// Throws kNotFound.
[[nodiscard]] std::filesystem::path find_program(const std::string& program);

}  // namespace voxloom
