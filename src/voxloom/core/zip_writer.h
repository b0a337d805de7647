#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom {

/// Takes bytes in order; throws to stop.
using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Writes a zip archive to a sink, entry by entry, never seeking back. Sizes above 4 GiB and
/// more than 65,535 entries switch to zip64. Time stamps are fixed, so the same entries give
/// the same bytes.
///
///     AtomicFile file("a.zip", Overwrite::kRefuse);
///     ZipWriter zip([&](auto bytes) { file.write(bytes); });
///     zip.add("a.txt", bytes, ZipWriter::Method::kDeflated);
///     zip.finish();
///     file.commit();
class ZipWriter {
 public:
  enum class Method { kStored, kDeflated };

  explicit ZipWriter(ByteSink sink) : sink_(std::move(sink)) {}

  /// `alignment`: a stored entry's first byte lies at a multiple of it (padding goes into an
  /// extra field). Throws kInvalidArgument for a name that is empty, too long or there already.
  void add(std::string_view name,
           std::span<const std::byte> bytes,
           Method method = Method::kStored,
           uint64_t alignment = 1);
  void add(std::string_view name, std::string_view text, Method method = Method::kStored);

  /// Writes the central directory. Nothing can be added afterwards.
  void finish();

 private:
  struct Entry {
    std::string name;
    uint64_t packed_size = 0, size = 0, offset = 0;
    uint32_t crc = 0;
    uint16_t method = 0;
  };
  void emit(std::span<const std::byte> bytes);

  ByteSink sink_;
  std::vector<Entry> entries_;
  std::set<std::string, std::less<>> names_;
  uint64_t position_ = 0;
  bool finished_ = false;
};

}  // namespace voxloom
