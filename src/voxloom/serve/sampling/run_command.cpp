#include "voxloom/serve/sampling/run_command.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

using Clock = std::chrono::steady_clock;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const char* what) {
  throw Error(ErrorCode::kUnavailable, format("command: {}: {}", what, std::strerror(errno)));
}

/// A file in memory that holds the input: unlike a pipe it can't block, and a program that does
/// not read it makes no SIGPIPE.
Descriptor input_file(std::string_view input) {
  Descriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (file.get() < 0) fail("memfd_create");
  while (!input.empty()) {
    const ssize_t n = ::write(file.get(), input.data(), input.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("write of the input");
    input.remove_prefix(static_cast<size_t>(n));
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) fail("lseek");
  return file;
}

/// A started program; killed with its group and waited for when it goes out of scope.
class Child {
 public:
  Child(const std::vector<std::string>& words, int input, int output) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, input, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
#if __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
#endif
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int error =
        ::posix_spawnp(&pid_, arguments[0], &files, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    VOXLOOM_CHECK(error == 0,
                  ErrorCode::kNotFound,
                  "command: the program must be one that can be started, got {}",
                  std::strerror(error));
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    // What it started goes too, also after it ended; a group without members is no error here.
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  [[nodiscard]] bool ended() {
    // WNOWAIT: the id stays taken until the destructor has killed the group.
    siginfo_t info{};
    const int got = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (got != 0 || info.si_pid != pid_) return false;
    code_ = info.si_code;
    value_ = info.si_status;
    return true;
  }
  /// After ended(): throws unless it exited with 0.
  void check() const {
    VOXLOOM_CHECK(code_ == CLD_EXITED,
                  ErrorCode::kUnavailable,
                  "command: must exit by itself, got signal {}",
                  value_);
    VOXLOOM_CHECK(
        value_ == 0, ErrorCode::kUnavailable, "command: must exit with status 0, got {}", value_);
  }

 private:
  pid_t pid_ = 0;
  int code_ = 0, value_ = 0;
};

}  // namespace

std::vector<std::string> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (const char c : text) {
    VOXLOOM_CHECK(
        c != '\0', ErrorCode::kInvalidArgument, "command: must have no zero byte, got one");
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  VOXLOOM_CHECK(quote == 0,
                ErrorCode::kInvalidArgument,
                "command: every quote must be closed, got an open {}",
                quote == '"' ? "double quote" : "single quote");
  if (in_word) words.push_back(std::move(word));
  VOXLOOM_CHECK(!words.empty() && !words.front().empty(),
                ErrorCode::kInvalidArgument,
                "command: must name a program, got none");
  return words;
}

std::string run_command(const std::vector<std::string>& words,
                        std::string_view input,
                        const CommandLimits& limits,
                        const CancelToken& stop) {
  const Descriptor in = input_file(input);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  Child child(words, in.get(), write_end.get());
  { const Descriptor closed = std::move(write_end); }

  const auto deadline = Clock::now() + std::chrono::milliseconds(limits.timeout_ms);
  std::string output;
  bool open = true;
  // Both the end of the output and that of the program count: one may come without the other.
  while (open || !child.ended()) {
    stop.check();
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    VOXLOOM_CHECK(left > 0,
                  ErrorCode::kUnavailable,
                  "command: must end within {} s, got no end",
                  static_cast<double>(limits.timeout_ms) / 1000.0);
    if (!open) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      continue;
    }
    pollfd ready{read_end.get(), POLLIN, 0};
    const int polled = ::poll(&ready, 1, static_cast<int>(std::min<int64_t>(left, 50)));
    if (polled < 0 && errno != EINTR) fail("poll");
    if (polled <= 0) continue;
    char buffer[16384];
    const ssize_t n = ::read(read_end.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read");
    if (n == 0) open = false;
    output.append(buffer, static_cast<size_t>(std::max<ssize_t>(n, 0)));
    VOXLOOM_CHECK(output.size() <= limits.max_output,
                  ErrorCode::kUnavailable,
                  "command: its output must have at most {} bytes, got more",
                  limits.max_output);
  }
  child.check();
  return output;
}

}  // namespace voxloom::serve
