#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::io {

/// Bytes that are read at any position, without loading the rest: a file, a part of one, several
/// one after another, or a compressed stream (inflate_source.h). Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// Fills `out` from `offset` on; returns fewer bytes only where the data ends.
  [[nodiscard]] virtual size_t read_some(int64_t offset, std::span<std::byte> out) = 0;

  /// No more bytes than this can be read: the size, or for compressed data what the compressed
  /// length can expand to at most. Lets a reader refuse a lying header before it allocates.
  [[nodiscard]] virtual int64_t size_limit() const = 0;

  /// The length of the compressed data behind; 0 when the bytes are stored as they are.
  [[nodiscard]] virtual int64_t compressed_bytes() const { return 0; }

  /// The file's name, for messages.
  [[nodiscard]] virtual const std::string& name() const = 0;

  /// Like read_some, but throws kDataCorrupt ("'a.nii': <what> is cut off ...") at the end.
  void read_exact(int64_t offset, std::span<std::byte> out, std::string_view what);
};

/// A regular file, read with pread. Throws kNotFound when it does not exist, kInvalidArgument when
/// it is a folder or device, kUnavailable when it can't be opened.
[[nodiscard]] std::unique_ptr<ByteSource> open_file_bytes(const std::filesystem::path& path);

/// `source` from `offset` on, at most `size` bytes.
[[nodiscard]] std::unique_ptr<ByteSource> section_bytes(std::unique_ptr<ByteSource> source,
                                                        int64_t offset,
                                                        int64_t size);

/// Parts of `part_size` bytes each, after `skip` bytes of each file, one after another. Only one
/// file is open at a time. Throws kNotFound, kDataCorrupt when one is missing or too short.
[[nodiscard]] std::unique_ptr<ByteSource> concatenated_files(
    std::vector<std::filesystem::path> paths, int64_t skip, int64_t part_size);

/// Bytes in memory.
[[nodiscard]] std::unique_ptr<ByteSource> memory_bytes(std::vector<std::byte> bytes,
                                                       std::string name);

}  // namespace voxloom::io
