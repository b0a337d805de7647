#include "voxloom/serve/log/gpu_report.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/serve/auth/limits.h"

extern char** environ;

namespace voxloom::serve {
namespace {

constexpr int64_t kLongestMs = 5000;
constexpr size_t kMostBytes = size_t{256} << 10;

/// Reads until the end of `fd`; false after the time is over.
bool read_all(int fd, std::string& text) {
  const int64_t end = steady_now_ms() + kLongestMs;
  std::array<char, 16384> part;
  for (;;) {
    const int64_t left = end - steady_now_ms();
    if (left <= 0) return false;
    pollfd waited{fd, POLLIN, 0};
    if (::poll(&waited, 1, static_cast<int>(left)) <= 0) continue;
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    if (text.size() < kMostBytes) text.append(part.data(), static_cast<size_t>(got));
  }
}

}  // namespace

std::string gpu_report(const std::string& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return program + " cannot be started\n";
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::string name = program;
  char* arguments[] = {name.data(), nullptr};
  pid_t child = 0;
  const int status = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string text;
  if (status != 0) {
    ::close(ends[0]);
    return program + " was not found: this machine has no NVIDIA driver\n";
  }
  const bool ended = read_all(ends[0], text);
  ::close(ends[0]);
  if (!ended) ::kill(child, SIGKILL);
  int how = 0;
  while (::waitpid(child, &how, 0) < 0 && errno == EINTR) {
  }
  if (!ended) return program + " did not end within 5 s\n";
  if (WIFEXITED(how) && WEXITSTATUS(how) == 0) return text;
  return program + " failed\n" + text;
}

}  // namespace voxloom::serve
