#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/mapped_file.h"

namespace voxloom {

/// What a zip archive may cost before it is refused.
struct ZipLimits {
  uint64_t max_entries = 1 << 20;
  uint64_t max_entry_bytes = uint64_t{1} << 38;  ///< Of one entry, unpacked.
  uint64_t max_total_bytes = uint64_t{1} << 39;  ///< Of all entries, unpacked.
  /// Unpacked over packed size of a deflated entry above 1 MiB (deflate itself reaches 1032).
  uint64_t max_ratio = 1100;
};

/// Reads a zip archive (PKWARE APPNOTE 6.3.10) by its central directory: entries stored or
/// deflated, zip64 included. Stored entries are views of the archive's own bytes.
///
/// Refused: encrypted, split or patched archives, other methods (kUnsupported); entries that
/// leave the file, overlap one another or disagree with their local header, duplicate names,
/// a lying size or checksum (kDataCorrupt).
class ZipReader {
 public:
  struct Entry {
    std::string name;
    uint64_t packed_size = 0, size = 0;
    uint64_t data_offset = 0;  ///< Of the packed bytes in the archive.
    uint32_t crc = 0;
    bool deflated = false;
  };

  /// Maps the file. Errors name it.
  static ZipReader open(const std::filesystem::path& path, const ZipLimits& limits = {});

  /// `name` stands for the archive in messages.
  ZipReader(SharedBytes archive, std::string name, const ZipLimits& limits = {});

  /// Whether the bytes begin like a zip archive with at least one entry.
  [[nodiscard]] static bool looks_like_zip(std::span<const std::byte> bytes);

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  /// nullptr when there is none.
  [[nodiscard]] const Entry* find(std::string_view entry_name) const;

  enum class Checksum { kVerify, kSkipStored };
  /// The unpacked bytes: a view of the archive where stored, a buffer where deflated. The
  /// checksum of deflated entries is always verified, of stored ones unless told otherwise.
  [[nodiscard]] SharedBytes read(const Entry& entry, Checksum checksum = Checksum::kVerify) const;
  /// By name; throws kDataCorrupt when the entry is missing.
  [[nodiscard]] SharedBytes read(std::string_view entry_name,
                                 Checksum checksum = Checksum::kVerify) const;

  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  void read_directory(const ZipLimits& limits);
  void locate_data(Entry& entry, uint64_t local_offset, uint64_t directory_offset) const;
  void check_overlap(const std::vector<uint64_t>& local_offsets) const;

  SharedBytes archive_;
  std::string name_;
  std::vector<Entry> entries_;
  std::vector<size_t> by_name_;  ///< Indices of entries_ sorted by name.
};

}  // namespace voxloom
