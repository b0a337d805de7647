#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace voxloom {

/// Read-only bytes together with what keeps them alive: a mapped file, or a buffer.
/// Copies are cheap and share the owner.
struct SharedBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  /// A part of these bytes, with the same owner. Throws kDataCorrupt when it leaves them.
  [[nodiscard]] SharedBytes part(uint64_t offset, uint64_t size) const;
};

/// Maps a regular file for reading; the bytes live until the last owner is gone. Pages are read
/// on first touch. A file that is cut short by another program while mapped raises SIGBUS, as
/// with every mapping: our own writers never change a file in place.
///
/// Throws kNotFound when `path` is not a regular file, kUnsupported above `max_bytes`,
/// kUnavailable when it can't be opened or mapped. An empty file gives empty bytes.
[[nodiscard]] SharedBytes map_file(const std::filesystem::path& path,
                                   uint64_t max_bytes = uint64_t{1} << 40);

/// Bytes of a buffer that the result owns.
[[nodiscard]] SharedBytes own_bytes(std::vector<std::byte> bytes);

}  // namespace voxloom
