#include "voxloom/core/zip_writer.h"

#include <algorithm>

#include <zlib.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

constexpr uint64_t kIn64 = 0xffffffff;
constexpr uint16_t kUtf8Names = 0x0800;
constexpr uint16_t kDate = 0x0021;  // 1980-01-01, the first day of DOS time

/// Little-endian fields of a record.
class Record {
 public:
  Record& u16(uint64_t v) { return put(v, 2); }
  Record& u32(uint64_t v) { return put(v, 4); }
  Record& u64(uint64_t v) { return put(v, 8); }
  Record& text(std::string_view s) {
    const auto bytes = std::as_bytes(std::span(s.data(), s.size()));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Record& append(const Record& other) {
    bytes_.insert(bytes_.end(), other.bytes_.begin(), other.bytes_.end());
    return *this;
  }
  Record& zeros(size_t n) {
    bytes_.resize(bytes_.size() + n);
    return *this;
  }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] size_t size() const { return bytes_.size(); }

 private:
  Record& put(uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  std::vector<std::byte> bytes_;
};

uint32_t checksum_of(std::span<const std::byte> bytes) {
  uLong crc = ::crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const size_t chunk = std::min<size_t>(bytes.size(), size_t{1} << 30);
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(chunk));
    bytes = bytes.subspan(chunk);
  }
  return static_cast<uint32_t>(crc);
}

std::vector<std::byte> deflate_bytes(std::span<const std::byte> bytes) {
  z_stream z{};
  VOXLOOM_CHECK(::deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                ErrorCode::kUnavailable,
                "zip archive: no memory to pack an entry");
  std::vector<std::byte> out, block(1 << 18);
  int status = Z_OK;
  while (status == Z_OK) {
    if (z.avail_in == 0 && !bytes.empty()) {
      const size_t chunk = std::min<size_t>(bytes.size(), size_t{1} << 30);
      z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
      z.avail_in = static_cast<uInt>(chunk);
      bytes = bytes.subspan(chunk);
    }
    z.next_out = reinterpret_cast<Bytef*>(block.data());
    z.avail_out = static_cast<uInt>(block.size());
    status = ::deflate(&z, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
    out.insert(out.end(), block.begin(), block.end() - z.avail_out);
  }
  ::deflateEnd(&z);
  VOXLOOM_CHECK(
      status == Z_STREAM_END, ErrorCode::kInternal, "zip archive: deflate failed ({})", status);
  return out;
}

/// Padding as an extra field of 4 bytes and more, so that the data starts aligned.
Record alignment_field(uint64_t data_start, uint64_t alignment) {
  Record extra;
  if (alignment <= 1 || data_start % alignment == 0) return extra;
  const uint64_t padding = alignment - (data_start + 4) % alignment;
  extra.u16(0x4246).u16(padding % alignment).zeros(static_cast<size_t>(padding % alignment));
  return extra;
}

}  // namespace

void ZipWriter::emit(std::span<const std::byte> bytes) {
  sink_(bytes);
  position_ += bytes.size();
}

void ZipWriter::add(std::string_view name,
                    std::span<const std::byte> bytes,
                    Method method,
                    uint64_t alignment) {
  VOXLOOM_CHECK(!finished_, ErrorCode::kInternal, "zip archive: finished, can't add '{}'", name);
  VOXLOOM_CHECK(!name.empty() && name.size() <= 0xffff,
                ErrorCode::kInvalidArgument,
                "zip archive: an entry's name must have 1 to 65535 bytes, got {}",
                name.size());
  VOXLOOM_CHECK(alignment >= 1 && alignment <= 4096,
                ErrorCode::kInvalidArgument,
                "zip archive: alignment must be 1 to 4096, got {}",
                alignment);
  VOXLOOM_CHECK(names_.emplace(name).second,
                ErrorCode::kInvalidArgument,
                "zip archive: holds an entry '{}' already",
                name);
  Entry entry;
  entry.name = name;
  entry.size = bytes.size();
  entry.crc = checksum_of(bytes);
  entry.offset = position_;
  entry.method = method == Method::kDeflated ? 8 : 0;
  std::vector<std::byte> packed;
  if (method == Method::kDeflated) {
    packed = deflate_bytes(bytes);
    bytes = packed;
  }
  entry.packed_size = bytes.size();

  const bool large = entry.size >= kIn64 || entry.packed_size >= kIn64;
  Record extra;
  if (large) extra.u16(1).u16(16).u64(entry.size).u64(entry.packed_size);
  if (method == Method::kStored) {
    extra.append(alignment_field(position_ + 30 + name.size() + extra.size(), alignment));
  }
  Record header;
  header.u32(0x04034b50).u16(large ? 45 : 20).u16(kUtf8Names).u16(entry.method);
  header.u16(0).u16(kDate).u32(entry.crc);
  header.u32(large ? kIn64 : entry.packed_size).u32(large ? kIn64 : entry.size);
  header.u16(name.size()).u16(extra.size()).text(name).append(extra);
  emit(header.bytes());
  emit(bytes);
  entries_.push_back(std::move(entry));
}

void ZipWriter::add(std::string_view name, std::string_view text, Method method) {
  add(name, std::as_bytes(std::span(text.data(), text.size())), method);
}

void ZipWriter::finish() {
  VOXLOOM_CHECK(!finished_, ErrorCode::kInternal, "zip archive: finished twice");
  finished_ = true;
  const uint64_t start = position_;
  for (const Entry& entry : entries_) {
    const bool large = entry.size >= kIn64 || entry.packed_size >= kIn64;
    const bool far = entry.offset >= kIn64;
    Record extra, header;
    if (large || far) {
      extra.u16(1).u16((large ? 16u : 0u) + (far ? 8u : 0u));
      if (large) extra.u64(entry.size).u64(entry.packed_size);
      if (far) extra.u64(entry.offset);
    }
    const int version = large || far ? 45 : 20;
    header.u32(0x02014b50).u16(version).u16(version).u16(kUtf8Names).u16(entry.method);
    header.u16(0).u16(kDate).u32(entry.crc);
    header.u32(large ? kIn64 : entry.packed_size).u32(large ? kIn64 : entry.size);
    header.u16(entry.name.size()).u16(extra.size()).u16(0).u16(0).u16(0).u32(0);
    header.u32(far ? kIn64 : entry.offset).text(entry.name).append(extra);
    emit(header.bytes());
  }
  const uint64_t size = position_ - start, count = entries_.size(), end64 = position_;
  const bool large = size >= kIn64 || start >= kIn64 || count >= 0xffff;
  Record end;
  if (large) {
    end.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(count).u64(count);
    end.u64(size).u64(start);
    end.u32(0x07064b50).u32(0).u64(end64).u32(1);
  }
  const uint64_t short_count = large ? 0xffff : count;
  end.u32(0x06054b50).u16(0).u16(0).u16(short_count).u16(short_count);
  end.u32(large ? kIn64 : size).u32(large ? kIn64 : start).u16(0);
  emit(end.bytes());
}

}  // namespace voxloom
