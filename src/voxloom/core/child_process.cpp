#include "voxloom/core/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/line_splitter.h"

namespace voxloom {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kTick{100};
// After the pipes are closed nothing wakes the wait, so it looks more often.
constexpr milliseconds kShortTick{10};

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

/// The file under a number above 2: where this process runs without standard streams, a file could
/// get one of their numbers, and the child's dup2 would overwrite it.
int above_standard(int fd) {
  if (fd < 0 || fd > 2) return fd;
  const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  ::close(fd);
  return moved;
}

struct Pipe {
  Fd read, write;
  Pipe() {
    std::array<int, 2> fds{};
    VOXLOOM_CHECK(::pipe2(fds.data(), O_CLOEXEC) == 0,
                  ErrorCode::kUnavailable,
                  "child process: no pipe: {}",
                  std::strerror(errno));
    read.reset(above_standard(fds[0]));
    write.reset(above_standard(fds[1]));
  }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> list;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(
        added.begin(), added.end(), [&](const auto& item) { return item.first == name; });
    if (!replaced) list.push_back(text);
  }
  for (const auto& [name, value] : added) list.push_back(format("{}={}", name, value));
  return list;
}

/// Why the child did not become the program, through the pipe that exec closes.
struct StartFailure {
  int step = 0;  // 0: folder, 1: program
  int error = 0;
};

struct Plan {
  const char* program;
  char* const* argv;
  char* const* environment;
  const char* folder;  // nullptr: as it is
  int in, out, err, report;
  pid_t parent;
};

/// The child between fork and exec. This process may have other threads, whose locks the copy
/// holds for ever: only async-signal-safe calls, no allocation.
[[noreturn]] void become(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) std::_Exit(127);  // it died before prctl
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < 32; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(plan.in, STDIN_FILENO);
  ::dup2(plan.out, STDOUT_FILENO);
  ::dup2(plan.err, STDERR_FILENO);
#ifdef SYS_close_range
  // Libraries may have opened files without close-on-exec. Flag 4 is CLOSE_RANGE_CLOEXEC; an older
  // kernel refuses it, and then those files stay open in the child.
  ::syscall(SYS_close_range, 3U, ~0U, 4U);
#endif
  StartFailure failure;
  if (plan.folder != nullptr && ::chdir(plan.folder) != 0) {
    failure = {0, errno};
  } else {
    ::execve(plan.program, plan.argv, plan.environment);
    failure = {1, errno};
  }
  static_cast<void>(!::write(plan.report, &failure, sizeof failure));
  std::_Exit(127);
}

pid_t start(const ChildOptions& options, Pipe& out, Pipe& err) {
  VOXLOOM_CHECK(
      !options.argv.empty(), ErrorCode::kInvalidArgument, "child process: has no program");
  const std::string program = find_program(options.argv[0]).string();
  auto arguments = options.argv;
  auto environment = merged_environment(options.environment);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  Pipe report;
  const Fd nothing(above_standard(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  const Plan plan = {program.c_str(),
                     argv.data(),
                     envp.data(),
                     options.folder.empty() ? nullptr : options.folder.c_str(),
                     nothing.get(),
                     out.write.get(),
                     err.write.get(),
                     report.write.get(),
                     ::getpid()};
  // No handler of this process may run in the copy.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) become(plan);
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  VOXLOOM_CHECK(pid > 0,
                ErrorCode::kUnavailable,
                "child process: cannot be started: {}",
                std::strerror(fork_error));
  ::setpgid(pid, pid);  // whoever comes first; the child does the same
  report.write.reset();
  StartFailure failure;
  ssize_t got = 0;
  do {
    got = ::read(report.read.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof failure) return pid;
  ::waitpid(pid, nullptr, 0);
  const std::string what = failure.step == 0 ? options.folder.string() : program;
  throw Error(failure.error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
              format("child process: {} '{}': {}",
                     failure.step == 0 ? "working folder" : "program",
                     what,
                     std::strerror(failure.error)));
}

/// A started child: knows how to end it, and never leaves it behind.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (!reaped_) {
      kill_group(SIGKILL);
      reap(0);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill_group(int signal) const { ::kill(-pid_, signal); }

  /// True when it has ended. It stays a zombie, so that its number is nobody else's.
  [[nodiscard]] bool ended() const {
    siginfo_t info = {};
    const int code = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    return code == 0 && info.si_pid == pid_;
  }

  int reap(int options) {
    int status = 0;
    while (::waitpid(pid_, &status, options) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    return status;
  }

 private:
  pid_t pid_;
  bool reaped_ = false;
};

/// Reads what is there, at most a few pipes full: a child that never stops talking must not keep
/// its parent from stopping it. Closes the pipe at its end.
void drain(Fd& fd, LineSplitter& lines) {
  std::array<char, 16384> buffer{};
  for (int i = 0; i < 16 && fd.get() >= 0; ++i) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got > 0) {
      lines.feed({buffer.data(), static_cast<size_t>(got)});
      if (static_cast<size_t>(got) < buffer.size()) return;
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      fd.reset();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

void wait_for_output(const Fd& out, const Fd& err) {
  std::array<pollfd, 2> list{};
  nfds_t count = 0;
  for (const Fd* fd : {&out, &err}) {
    if (fd->get() >= 0) list.at(count++) = {fd->get(), POLLIN, 0};
  }
  if (count == 0) {
    std::this_thread::sleep_for(kShortTick);
  } else {
    ::poll(list.data(), count, static_cast<int>(kTick.count()));
  }
}

}  // namespace

std::string ChildResult::words() const {
  switch (end) {
    case End::kExited:
      return format("ended with status {}", exit_code);
    case End::kSignalled:
      return format("was ended by signal {} ({})", signal, ::strsignal(signal));
    case End::kStopped:
      return "was stopped";
    case End::kTimedOut:
      return "took longer than it may and was stopped";
  }
  return {};
}

std::filesystem::path find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    VOXLOOM_CHECK(::access(program.c_str(), X_OK) == 0,
                  ErrorCode::kNotFound,
                  "program '{}': {}",
                  program,
                  std::strerror(errno));
    return std::filesystem::absolute(program);  // the child may work in another folder
  }
  const char* path = ::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/bin:/bin";
  while (!program.empty() && !rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    if (folder.empty()) continue;
    const auto file = std::filesystem::path(folder) / program;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0) {
      return std::filesystem::absolute(file);
    }
  }
  throw Error(ErrorCode::kNotFound, format("program '{}' is not found in PATH", program));
}

ChildResult run_child(const ChildOptions& options, const CancelToken& stop) {
  Pipe out, err;
  Child child(start(options, out, err));
  out.write.reset();
  err.write.reset();
  for (const Fd* fd : {&out.read, &err.read}) {
    ::fcntl(fd->get(), F_SETFL, ::fcntl(fd->get(), F_GETFL) | O_NONBLOCK);
  }
  const auto pass_on = [&](ChildStream stream) {
    return [&, stream](std::string_view line) {
      if (options.on_line) options.on_line(stream, line);
    };
  };
  LineSplitter out_lines(options.max_line_bytes, pass_on(ChildStream::kOut));
  LineSplitter err_lines(options.max_line_bytes, pass_on(ChildStream::kErr));

  ChildResult result;
  const auto begin = Clock::now();
  auto next_tick = begin, kill_at = Clock::time_point::max();
  while (!child.ended()) {
    wait_for_output(out.read, err.read);
    drain(out.read, out_lines);
    drain(err.read, err_lines);
    const auto now = Clock::now();
    if (result.end == ChildResult::End::kExited) {
      bool go_on = !stop.cancelled();
      if (go_on && options.on_tick && now >= next_tick) {
        go_on = options.on_tick();
        next_tick = now + kTick;
      }
      const bool late = options.timeout.count() > 0 && now - begin >= options.timeout;
      if (!go_on || late) {
        result.end = go_on ? ChildResult::End::kTimedOut : ChildResult::End::kStopped;
        child.kill_group(SIGTERM);
        kill_at = Clock::now() + options.grace;
      }
    }
    if (now >= kill_at) child.kill_group(SIGKILL);
  }
  // Others of its group may hold the pipes open, or linger.
  child.kill_group(SIGKILL);
  drain(out.read, out_lines);
  drain(err.read, err_lines);
  out_lines.finish();
  err_lines.finish();
  const int status = child.reap(0);
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  if (result.end == ChildResult::End::kExited && result.signal != 0) {
    result.end = ChildResult::End::kSignalled;
  }
  return result;
}

}  // namespace voxloom
