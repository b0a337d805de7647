#include "voxloom/core/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

std::atomic<unsigned> g_counter{0};

void sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // some file systems don't allow it; the rename is still atomic
  ::fsync(fd);
  ::close(fd);
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

void make_output_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  VOXLOOM_CHECK(std::filesystem::is_directory(folder),
                ErrorCode::kUnavailable,
                "output '{}': the folder cannot be made",
                folder.string());
}

void check_output(const std::filesystem::path& path, Overwrite overwrite) {
  std::error_code ignored;
  VOXLOOM_CHECK(std::filesystem::is_directory(folder_of(path), ignored),
                ErrorCode::kNotFound,
                "output '{}': its folder does not exist; create it first",
                path.string());
  VOXLOOM_CHECK(!std::filesystem::is_directory(path, ignored),
                ErrorCode::kInvalidArgument,
                "output '{}': must be a file, got a folder",
                path.string());
  VOXLOOM_CHECK(overwrite == Overwrite::kReplace || !std::filesystem::exists(path, ignored),
                ErrorCode::kAlreadyExists,
                "output '{}' exists; use --force to overwrite it",
                path.string());
}

AtomicFile::AtomicFile(const std::filesystem::path& path, Overwrite overwrite, Sync sync)
    : path_(path), overwrite_(overwrite), sync_(sync) {
  check_output(path, overwrite);
  // The suffix stays at the end: some libraries pick the format from it.
  temporary_ = folder_of(path) / (".tmp-" + std::to_string(::getpid()) + "-" +
                                  std::to_string(g_counter++) + "-" + path.filename().string());
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  VOXLOOM_CHECK(fd_ >= 0,
                ErrorCode::kUnavailable,
                "output '{}': cannot be created: {}",
                path_.string(),
                std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    VOXLOOM_CHECK(written > 0,
                  ErrorCode::kUnavailable,
                  "output '{}': cannot be written: {}",
                  path_.string(),
                  std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::commit() {
  if (sync_ == Sync::kYes) {
    // A library may have replaced the file by name, so sync what the name points to now.
    const int fd = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
    VOXLOOM_CHECK(fd >= 0 && ::fsync(fd) == 0,
                  ErrorCode::kUnavailable,
                  "output '{}': cannot be synced: {}",
                  path_.string(),
                  std::strerror(errno));
    ::close(fd);
  }
  ::close(fd_);
  fd_ = -1;
  if (overwrite_ == Overwrite::kRefuse) {
    // link() fails when the name exists, so nothing made meanwhile is replaced.
    if (::link(temporary_.c_str(), path_.c_str()) == 0) {
      ::unlink(temporary_.c_str());
      committed_ = true;
      if (sync_ == Sync::kYes) sync_folder(folder_of(path_));
      return;
    }
    VOXLOOM_CHECK(errno != EEXIST,
                  ErrorCode::kAlreadyExists,
                  "output '{}' exists; use --force to overwrite it",
                  path_.string());
  }
  VOXLOOM_CHECK(::rename(temporary_.c_str(), path_.c_str()) == 0,
                ErrorCode::kUnavailable,
                "output '{}': cannot be renamed into place: {}",
                path_.string(),
                std::strerror(errno));
  committed_ = true;
  if (sync_ == Sync::kYes) sync_folder(folder_of(path_));
}

std::string read_text_file(const std::filesystem::path& path, size_t max_bytes) {
  std::error_code ignored;
  VOXLOOM_CHECK(std::filesystem::is_regular_file(path, ignored),
                ErrorCode::kNotFound,
                "file '{}' does not exist",
                path.string());
  const auto size = std::filesystem::file_size(path);
  VOXLOOM_CHECK(size <= max_bytes,
                ErrorCode::kUnsupported,
                "file '{}': must hold at most {} bytes, got {}",
                path.string(),
                max_bytes,
                size);
  std::ifstream in(path, std::ios::binary);
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  VOXLOOM_CHECK(in.gcount() == static_cast<std::streamsize>(size),
                ErrorCode::kUnavailable,
                "file '{}': cannot be read",
                path.string());
  return text;
}

}  // namespace voxloom
