#include "voxloom/serve/datastore/durable.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".voxloom-tmp-";
std::atomic<uint64_t> g_counter{0};

[[noreturn]] void fail(std::string_view what, int error = errno) {
  throw Error(ErrorCode::kUnavailable,
              format("studies folder: {} failed: {}", what, std::strerror(error)));
}

void sync_path(const fs::path& path, int flags, std::string_view what) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) fail(what);
  const int status = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some file systems can't sync a folder (EINVAL); there is nothing better to do on them.
  if (status != 0 && error != EINVAL) fail(what, error);
}

}  // namespace

FileStamp stamp_of(const fs::path& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return {};
  return {static_cast<int64_t>(s.st_size),
          static_cast<int64_t>(s.st_mtim.tv_sec) * 1'000'000'000 + s.st_mtim.tv_nsec,
          static_cast<uint64_t>(s.st_ino)};
}

void sync_file(const fs::path& path) {
  sync_path(path, O_RDONLY, "syncing a file");
}

void sync_folder(const fs::path& folder) {
  sync_path(folder, O_RDONLY | O_DIRECTORY, "syncing a folder");
}

void make_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) {
    sync_folder(folder.parent_path());
  } else if (errno != EEXIST) {
    fail("making a folder");
  }
}

void rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) fail("renaming a file");
}

void rename_durably(const fs::path& from, const fs::path& to) {
  rename_file(from, to);
  sync_folder(to.parent_path());
}

void remove_durably(const fs::path& path) {
  if (::unlink(path.c_str()) == 0) {
    sync_folder(path.parent_path());
  } else if (errno != ENOENT) {
    fail("removing a file");
  }
}

void write_synced(const fs::path& path, std::string_view content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) fail("making a file");
  int error = 0;
  while (!content.empty() && error == 0) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written >= 0) {
      content.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  ::close(fd);
  if (error != 0) fail("writing a file", error);
}

void replace_file(const fs::path& path, std::string_view content) {
  const TemporaryFile file(path.parent_path(), path.extension().string());
  write_synced(file.path(), content);
  rename_durably(file.path(), path);
}

HeldFile::HeldFile(const fs::path& path) : fd_(::open(path.c_str(), O_PATH | O_CLOEXEC)) {}

HeldFile::~HeldFile() {
  if (fd_ >= 0) ::close(fd_);
}

HeldFile::HeldFile(HeldFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

HeldFile& HeldFile::operator=(HeldFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

TemporaryFile::TemporaryFile(const fs::path& folder, std::string_view ext)
    : path_(folder / (std::string(kPrefix) + std::to_string(::getpid()) + "-" +
                      std::to_string(g_counter++) + std::string(ext))) {}

TemporaryFile::~TemporaryFile() {
  ::unlink(path_.c_str());
}

void TemporaryFile::take(const fs::path& source) {
  if (::rename(source.c_str(), path_.c_str()) == 0) {
    // Uploads are private to this process; other programs read the studies folder too.
    ::chmod(path_.c_str(), 0644);
    return;
  }
  VOXLOOM_CHECK(
      errno != ENOENT || fs::exists(source), ErrorCode::kNotFound, "upload: its file must exist");
  if (errno != EXDEV) fail("moving an upload in");
  std::error_code failure;
  fs::copy_file(source, path_, fs::copy_options::overwrite_existing, failure);
  if (failure) fail("copying an upload in", failure.value());
  ::chmod(path_.c_str(), 0644);
  ::unlink(source.c_str());
}

bool TemporaryFile::is_name(std::string_view file_name) {
  // Also those that a volume writer made to write such a file.
  return file_name.starts_with('.') && file_name.find(kPrefix) != std::string_view::npos;
}

}  // namespace voxloom::serve
