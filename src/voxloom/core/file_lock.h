#pragma once

#include <chrono>
#include <filesystem>

namespace voxloom {

/// An advisory lock on a file (flock) against other processes.
class FileLock {
 public:
  /// Waits until it is free or `patience` is over; ask held(). The file is made where possible.
  FileLock(const std::filesystem::path& path, std::chrono::milliseconds patience);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  [[nodiscard]] bool held() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace voxloom
