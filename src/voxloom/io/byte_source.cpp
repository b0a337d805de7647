#include "voxloom/io/byte_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

class FileBytes final : public ByteSource {
 public:
  explicit FileBytes(const std::filesystem::path& path) : name_(path.string()) {
    // O_NONBLOCK: opening a pipe that nobody writes must not hang; it has no effect on files.
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    VOXLOOM_CHECK(
        fd_ >= 0,
        errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
        "file '{}': cannot be opened: {}",
        name_,
        std::strerror(errno));
    struct stat info {};
    const bool regular = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode);
    if (!regular) {
      ::close(fd_);
      throw Error(ErrorCode::kInvalidArgument,
                  format("file '{}': must be a regular file, not a folder or device", name_));
    }
    size_ = info.st_size;
  }
  ~FileBytes() override { ::close(fd_); }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t got = ::pread(fd_,
                                  out.data() + done,
                                  out.size() - done,
                                  static_cast<off_t>(offset) + static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      VOXLOOM_CHECK(got >= 0,
                    ErrorCode::kUnavailable,
                    "file '{}': cannot be read: {}",
                    name_,
                    std::strerror(errno));
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }
  int64_t size_limit() const override { return size_; }
  const std::string& name() const override { return name_; }

 private:
  std::string name_;
  int fd_ = -1;
  int64_t size_ = 0;
};

class SectionBytes final : public ByteSource {
 public:
  SectionBytes(std::unique_ptr<ByteSource> source, int64_t offset, int64_t size)
      : source_(std::move(source)), offset_(offset), size_(size) {}

  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    if (offset >= size_) return 0;
    const auto left = static_cast<uint64_t>(size_ - offset);
    return source_->read_some(offset_ + offset,
                              out.first(static_cast<size_t>(std::min<uint64_t>(out.size(), left))));
  }
  int64_t size_limit() const override {
    return std::clamp<int64_t>(source_->size_limit() - offset_, 0, size_);
  }
  int64_t compressed_bytes() const override { return source_->compressed_bytes(); }
  const std::string& name() const override { return source_->name(); }

 private:
  std::unique_ptr<ByteSource> source_;
  int64_t offset_, size_;
};

class ConcatenatedFiles final : public ByteSource {
 public:
  ConcatenatedFiles(std::vector<std::filesystem::path> paths, int64_t skip, int64_t part_size)
      : paths_(std::move(paths)), skip_(skip), part_size_(part_size) {
    // All of them, before anybody allocates what they claim to hold.
    for (size_t part = paths_.size(); part-- > 0;) {
      select(part);
      VOXLOOM_CHECK(current_->size_limit() >= skip_ && current_->size_limit() - skip_ >= part_size_,
                    ErrorCode::kDataCorrupt,
                    "'{}': voxel data is cut off: must have {} bytes from byte {} on, got {}",
                    current_->name(),
                    part_size_,
                    skip_,
                    std::max<int64_t>(current_->size_limit() - skip_, 0));
    }
  }

  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const int64_t at = offset + static_cast<int64_t>(done);
      const auto part = static_cast<size_t>(at / part_size_);
      if (part >= paths_.size()) break;
      select(part);
      const int64_t inside = at % part_size_;
      const auto want = static_cast<size_t>(
          std::min<uint64_t>(out.size() - done, static_cast<uint64_t>(part_size_ - inside)));
      current_->read_exact(skip_ + inside, out.subspan(done, want), "voxel data");
      done += want;
    }
    return done;
  }
  int64_t size_limit() const override { return part_size_ * static_cast<int64_t>(paths_.size()); }
  const std::string& name() const override { return current_->name(); }

 private:
  void select(size_t part) {
    if (current_ && part == selected_) return;
    current_ = open_file_bytes(paths_[part]);
    selected_ = part;
  }

  std::vector<std::filesystem::path> paths_;
  int64_t skip_, part_size_;
  std::unique_ptr<ByteSource> current_;
  size_t selected_ = 0;
};

class MemoryBytes final : public ByteSource {
 public:
  MemoryBytes(std::vector<std::byte> bytes, std::string name)
      : bytes_(std::move(bytes)), name_(std::move(name)) {}

  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    if (offset >= size_limit()) return 0;
    const size_t count = std::min(out.size(), bytes_.size() - static_cast<size_t>(offset));
    if (count > 0) std::memcpy(out.data(), bytes_.data() + offset, count);
    return count;
  }
  int64_t size_limit() const override { return static_cast<int64_t>(bytes_.size()); }
  const std::string& name() const override { return name_; }

 private:
  std::vector<std::byte> bytes_;
  std::string name_;
};

}  // namespace

void ByteSource::read_exact(int64_t offset, std::span<std::byte> out, std::string_view what) {
  const size_t got = read_some(offset, out);
  VOXLOOM_CHECK(got == out.size(),
                ErrorCode::kDataCorrupt,
                "'{}': {} is cut off: must have {} bytes from byte {} on, got {}",
                name(),
                what,
                out.size(),
                offset,
                got);
}

std::unique_ptr<ByteSource> open_file_bytes(const std::filesystem::path& path) {
  return std::make_unique<FileBytes>(path);
}

std::unique_ptr<ByteSource> section_bytes(std::unique_ptr<ByteSource> source,
                                          int64_t offset,
                                          int64_t size) {
  return std::make_unique<SectionBytes>(std::move(source), offset, size);
}

std::unique_ptr<ByteSource> concatenated_files(std::vector<std::filesystem::path> paths,
                                               int64_t skip,
                                               int64_t part_size) {
  return std::make_unique<ConcatenatedFiles>(std::move(paths), skip, part_size);
}

std::unique_ptr<ByteSource> memory_bytes(std::vector<std::byte> bytes, std::string name) {
  return std::make_unique<MemoryBytes>(std::move(bytes), std::move(name));
}

}  // namespace voxloom::io
