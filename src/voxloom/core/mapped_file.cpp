#include "voxloom/core/mapped_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

struct Mapping {
  void* address = nullptr;
  size_t size = 0;
  Mapping(void* a, size_t n) : address(a), size(n) {}
  ~Mapping() { ::munmap(address, size); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
};

struct OpenFile {
  int fd = -1;
  explicit OpenFile(int f) : fd(f) {}
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
};

}  // namespace

SharedBytes SharedBytes::part(uint64_t offset, uint64_t size) const {
  VOXLOOM_CHECK(offset <= bytes.size() && size <= bytes.size() - offset,
                ErrorCode::kDataCorrupt,
                "bytes {} + {} must lie inside {} bytes",
                offset,
                size,
                bytes.size());
  return {bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size)), owner};
}

SharedBytes map_file(const std::filesystem::path& path, uint64_t max_bytes) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  VOXLOOM_CHECK(file.fd >= 0 || errno != ENOENT,
                ErrorCode::kNotFound,
                "file '{}' does not exist",
                path.string());
  VOXLOOM_CHECK(file.fd >= 0,
                ErrorCode::kUnavailable,
                "file '{}': cannot be opened: {}",
                path.string(),
                std::strerror(errno));
  struct stat status {};
  VOXLOOM_CHECK(::fstat(file.fd, &status) == 0,
                ErrorCode::kUnavailable,
                "file '{}': cannot be examined: {}",
                path.string(),
                std::strerror(errno));
  VOXLOOM_CHECK(S_ISREG(status.st_mode),
                ErrorCode::kNotFound,
                "file '{}': must be a regular file",
                path.string());
  const auto size = static_cast<uint64_t>(status.st_size);
  VOXLOOM_CHECK(size <= max_bytes,
                ErrorCode::kUnsupported,
                "file '{}': must hold at most {} bytes, got {}",
                path.string(),
                max_bytes,
                size);
  if (size == 0) return {};
  void* address = ::mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_PRIVATE, file.fd, 0);
  VOXLOOM_CHECK(address != MAP_FAILED,
                ErrorCode::kUnavailable,
                "file '{}': cannot be mapped: {}",
                path.string(),
                std::strerror(errno));
  auto mapping = std::make_shared<const Mapping>(address, static_cast<size_t>(size));
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(address),
                                         static_cast<size_t>(size));
  return {bytes, std::move(mapping)};
}

SharedBytes own_bytes(std::vector<std::byte> bytes) {
  auto buffer = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const std::span<const std::byte> view(buffer->data(), buffer->size());
  return {view, std::move(buffer)};
}

}  // namespace voxloom
