#include "voxloom/core/file_lock.h"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace voxloom {
namespace {

/// The holder may remove the file as it leaves: a lock on a file without a name locks nobody out.
bool still_named(int fd, const std::filesystem::path& path) {
  struct stat ours {
  }, named{};
  return ::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
         ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& path, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return;
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    // A disk that knows no locks must not keep work from starting.
    const bool cannot_lock = !locked && errno != EWOULDBLOCK && errno != EINTR;
    if (cannot_lock || (locked && still_named(fd, path))) {
      fd_ = fd;
      return;
    }
    ::close(fd);
    if (std::chrono::steady_clock::now() >= deadline) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace voxloom
