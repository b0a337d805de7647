#include "voxloom/core/zip_reader.h"

#include <algorithm>
#include <climits>
#include <numeric>
#include <optional>

#include <zlib.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kDirectorySignature = 0x02014b50,
                   kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50,
                   kLocator64Signature = 0x07064b50;
constexpr uint64_t kLocalSize = 30, kDirectorySize = 46, kEndSize = 22, kEnd64Size = 56,
                   kLocator64Size = 20;
constexpr uint16_t kMethodStored = 0, kMethodDeflated = 8;
constexpr uint32_t kIn64 = 0xffffffff;

uint64_t little_endian(std::span<const std::byte> bytes, uint64_t offset, int width) {
  uint64_t value = 0;
  for (int i = width - 1; i >= 0; --i) {
    value = (value << 8) | std::to_integer<uint64_t>(bytes[static_cast<size_t>(offset) + i]);
  }
  return value;
}
uint16_t u16(std::span<const std::byte> b, uint64_t at) {
  return static_cast<uint16_t>(little_endian(b, at, 2));
}
uint32_t u32(std::span<const std::byte> b, uint64_t at) {
  return static_cast<uint32_t>(little_endian(b, at, 4));
}
uint64_t u64(std::span<const std::byte> b, uint64_t at) {
  return little_endian(b, at, 8);
}

/// The end record lies in the last 64 KiB + 22 bytes; its comment must reach the file's end.
std::optional<uint64_t> find_end_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kEndSize) return std::nullopt;
  const uint64_t last = bytes.size() - kEndSize;
  const uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (uint64_t at = last + 1; at-- > first;) {
    if (u32(bytes, at) == kEndSignature && at + kEndSize + u16(bytes, at + 20) == bytes.size()) {
      return at;
    }
  }
  return std::nullopt;
}

struct Directory {
  uint64_t count = 0, size = 0, offset = 0;
};

Directory read_end_record(std::span<const std::byte> b, const std::string& name) {
  const auto end = find_end_record(b);
  VOXLOOM_CHECK(end.has_value(),
                ErrorCode::kDataCorrupt,
                "zip archive '{}': must end with a central directory; the file may be cut short",
                name);
  VOXLOOM_CHECK((u16(b, *end + 4) == 0 || u16(b, *end + 4) == 0xffff) &&
                    u16(b, *end + 8) == u16(b, *end + 10),
                ErrorCode::kUnsupported,
                "zip archive '{}': must be one file, got a part of a split archive",
                name);
  Directory directory{u16(b, *end + 10), u32(b, *end + 12), u32(b, *end + 16)};
  uint64_t directory_end = *end;
  // Some writers (torch.save) add the 64-bit record to small archives too.
  if (*end >= kLocator64Size && u32(b, *end - kLocator64Size) == kLocator64Signature) {
    const uint64_t at = u64(b, *end - kLocator64Size + 8);
    VOXLOOM_CHECK(*end - kLocator64Size >= kEnd64Size && at <= *end - kLocator64Size - kEnd64Size &&
                      u32(b, at) == kEnd64Signature,
                  ErrorCode::kDataCorrupt,
                  "zip archive '{}': its zip64 end record is not where its locator says",
                  name);
    const Directory plain = directory;
    directory = {u64(b, at + 32), u64(b, at + 40), u64(b, at + 48)};
    VOXLOOM_CHECK((plain.count == directory.count || plain.count == 0xffff) &&
                      (plain.size == directory.size || plain.size == kIn64) &&
                      (plain.offset == directory.offset || plain.offset == kIn64),
                  ErrorCode::kDataCorrupt,
                  "zip archive '{}': its two end records disagree",
                  name);
    directory_end = at;
  }
  VOXLOOM_CHECK(
      directory.offset <= directory_end && directory.size == directory_end - directory.offset,
      ErrorCode::kDataCorrupt,
      "zip archive '{}': its central directory ({} bytes at {}) must end at {}",
      name,
      directory.size,
      directory.offset,
      directory_end);
  VOXLOOM_CHECK(directory.count <= directory.size / kDirectorySize,
                ErrorCode::kDataCorrupt,
                "zip archive '{}': a central directory of {} bytes can't hold {} entries",
                name,
                directory.size,
                directory.count);
  return directory;
}

/// Replaces the fields that read 0xffffffff by those of the zip64 extra field (id 1).
void apply_zip64(std::span<const std::byte> extra,
                 const std::string& where,
                 std::initializer_list<uint64_t*> fields) {
  const bool wanted =
      std::any_of(fields.begin(), fields.end(), [](const uint64_t* f) { return *f == kIn64; });
  if (!wanted) return;
  for (uint64_t at = 0; at + 4 <= extra.size();) {
    const uint64_t id = u16(extra, at), size = u16(extra, at + 2);
    at += 4;
    VOXLOOM_CHECK(size <= extra.size() - at,
                  ErrorCode::kDataCorrupt,
                  "{}: an extra field leaves its header",
                  where);
    if (id == 1) {
      uint64_t next = at;
      for (uint64_t* field : fields) {
        if (*field != kIn64) continue;
        VOXLOOM_CHECK(next + 8 <= at + size,
                      ErrorCode::kDataCorrupt,
                      "{}: its zip64 field is too short",
                      where);
        *field = u64(extra, next);
        next += 8;
      }
      return;
    }
    at += size;
  }
}

/// zlib counts in 32 bits.
uint32_t checksum_of(std::span<const std::byte> bytes) {
  uLong crc = ::crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const size_t chunk = std::min<size_t>(bytes.size(), size_t{1} << 30);
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(chunk));
    bytes = bytes.subspan(chunk);
  }
  return static_cast<uint32_t>(crc);
}

struct Inflater {
  z_stream stream{};
  explicit Inflater(const std::string& where) {
    // Negative window bits: raw deflate data without a zlib header.
    VOXLOOM_CHECK(::inflateInit2(&stream, -MAX_WBITS) == Z_OK,
                  ErrorCode::kUnavailable,
                  "{}: no memory to unpack it",
                  where);
  }
  ~Inflater() { ::inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

std::vector<std::byte> inflate_bytes(std::span<const std::byte> packed,
                                     uint64_t size,
                                     const std::string& where) {
  Inflater inflater(where);
  z_stream& z = inflater.stream;
  // Grown as data really comes, so that a lying size costs no memory.
  std::vector<std::byte> out;
  size_t done = 0;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (z.avail_in == 0 && !packed.empty()) {
      const size_t chunk = std::min<size_t>(packed.size(), size_t{1} << 30);
      z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
      z.avail_in = static_cast<uInt>(chunk);
      packed = packed.subspan(chunk);
    }
    if (done == out.size()) {
      // One byte more than promised shows data that is too long.
      const uint64_t goal = size + 1;
      out.resize(static_cast<size_t>(
          std::min<uint64_t>(goal, std::max<uint64_t>(2 * out.size(), uint64_t{1} << 20))));
      VOXLOOM_CHECK(done < out.size(),
                    ErrorCode::kDataCorrupt,
                    "{}: unpacks to more than the {} bytes it declares",
                    where,
                    size);
    }
    const size_t room = std::min<size_t>(out.size() - done, size_t{1} << 30);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    z.avail_out = static_cast<uInt>(room);
    status = ::inflate(&z, Z_NO_FLUSH);
    done += room - z.avail_out;
    VOXLOOM_CHECK(status == Z_OK || status == Z_STREAM_END,
                  ErrorCode::kDataCorrupt,
                  "{}: its deflated data is damaged or cut short",
                  where);
  }
  VOXLOOM_CHECK(done == size && z.avail_in == 0 && packed.empty(),
                ErrorCode::kDataCorrupt,
                "{}: must unpack to {} bytes, got {}",
                where,
                size,
                done);
  out.resize(done);
  return out;
}

}  // namespace

ZipReader ZipReader::open(const std::filesystem::path& path, const ZipLimits& limits) {
  return ZipReader(map_file(path), path.string(), limits);
}

ZipReader::ZipReader(SharedBytes archive, std::string name, const ZipLimits& limits)
    : archive_(std::move(archive)), name_(std::move(name)) {
  read_directory(limits);
}

bool ZipReader::looks_like_zip(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && u32(bytes, 0) == kLocalSignature;
}

void ZipReader::read_directory(const ZipLimits& limits) {
  const auto b = archive_.bytes;
  const Directory directory = read_end_record(b, name_);
  VOXLOOM_CHECK(directory.count <= limits.max_entries,
                ErrorCode::kUnsupported,
                "zip archive '{}': must hold at most {} entries, got {}",
                name_,
                limits.max_entries,
                directory.count);
  const uint64_t directory_end = directory.offset + directory.size;
  std::vector<uint64_t> local_offsets;
  uint64_t total = 0, at = directory.offset;
  for (uint64_t i = 0; i < directory.count; ++i) {
    VOXLOOM_CHECK(directory_end - at >= kDirectorySize && u32(b, at) == kDirectorySignature,
                  ErrorCode::kDataCorrupt,
                  "zip archive '{}': record {} of its central directory is damaged",
                  name_,
                  i);
    const uint64_t name_size = u16(b, at + 28), extra_size = u16(b, at + 30),
                   comment_size = u16(b, at + 32);
    VOXLOOM_CHECK(name_size + extra_size + comment_size <= directory_end - at - kDirectorySize,
                  ErrorCode::kDataCorrupt,
                  "zip archive '{}': record {} leaves the central directory",
                  name_,
                  i);
    Entry entry;
    entry.name.assign(reinterpret_cast<const char*>(b.data() + at + kDirectorySize),
                      static_cast<size_t>(name_size));
    const std::string where = format("zip archive '{}': entry '{}'", name_, entry.name);
    const uint16_t flags = u16(b, at + 8), method = u16(b, at + 10);
    VOXLOOM_CHECK((flags & 0x2061) == 0,
                  ErrorCode::kUnsupported,
                  "{}: encrypted and patched entries can't be read",
                  where);
    VOXLOOM_CHECK(method == kMethodStored || method == kMethodDeflated,
                  ErrorCode::kUnsupported,
                  "{}: must be stored (0) or deflated (8), got method {}",
                  where,
                  method);
    entry.deflated = method == kMethodDeflated;
    entry.crc = u32(b, at + 16);
    entry.packed_size = u32(b, at + 20);
    entry.size = u32(b, at + 24);
    uint64_t local_offset = u32(b, at + 42);
    apply_zip64(b.subspan(static_cast<size_t>(at + kDirectorySize + name_size),
                          static_cast<size_t>(extra_size)),
                where,
                {&entry.size, &entry.packed_size, &local_offset});
    VOXLOOM_CHECK(
        entry.size <= limits.max_entry_bytes && entry.size <= limits.max_total_bytes - total,
        ErrorCode::kUnsupported,
        "{}: unpacks to {} bytes; at most {} in one entry and {} in all are read",
        where,
        entry.size,
        limits.max_entry_bytes,
        limits.max_total_bytes);
    total += entry.size;
    VOXLOOM_CHECK(entry.deflated || entry.size == entry.packed_size,
                  ErrorCode::kDataCorrupt,
                  "{}: a stored entry must have one size, got {} and {}",
                  where,
                  entry.packed_size,
                  entry.size);
    VOXLOOM_CHECK(entry.size <= (1 << 20) || entry.size / limits.max_ratio <= entry.packed_size,
                  ErrorCode::kUnsupported,
                  "{}: {} bytes that unpack to {} look like a zip bomb",
                  where,
                  entry.packed_size,
                  entry.size);
    locate_data(entry, local_offset, directory.offset);
    local_offsets.push_back(local_offset);
    entries_.push_back(std::move(entry));
    at += kDirectorySize + name_size + extra_size + comment_size;
  }
  VOXLOOM_CHECK(at == directory_end,
                ErrorCode::kDataCorrupt,
                "zip archive '{}': its central directory has {} bytes too many",
                name_,
                directory_end - at);
  check_overlap(local_offsets);

  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), size_t{0});
  std::sort(by_name_.begin(), by_name_.end(), [this](size_t a, size_t c) {
    return entries_[a].name < entries_[c].name;
  });
  for (size_t i = 1; i < by_name_.size(); ++i) {
    VOXLOOM_CHECK(entries_[by_name_[i - 1]].name != entries_[by_name_[i]].name,
                  ErrorCode::kDataCorrupt,
                  "zip archive '{}': holds two entries named '{}'",
                  name_,
                  entries_[by_name_[i]].name);
  }
}

void ZipReader::locate_data(Entry& entry, uint64_t local_offset, uint64_t directory_offset) const {
  const auto b = archive_.bytes;
  const std::string where = format("zip archive '{}': entry '{}'", name_, entry.name);
  VOXLOOM_CHECK(local_offset <= directory_offset && directory_offset - local_offset >= kLocalSize &&
                    u32(b, local_offset) == kLocalSignature,
                ErrorCode::kDataCorrupt,
                "{}: its local header is not at offset {}",
                where,
                local_offset);
  const uint64_t name_size = u16(b, local_offset + 26), extra_size = u16(b, local_offset + 28);
  const uint64_t room = directory_offset - local_offset - kLocalSize;
  VOXLOOM_CHECK(
      name_size + extra_size <= room && entry.packed_size <= room - name_size - extra_size,
      ErrorCode::kDataCorrupt,
      "{}: {} bytes at {} leave the file",
      where,
      entry.packed_size,
      local_offset);
  const std::string_view local_name(
      reinterpret_cast<const char*>(b.data() + local_offset + kLocalSize),
      static_cast<size_t>(name_size));
  VOXLOOM_CHECK(local_name == entry.name &&
                    u16(b, local_offset + 8) == (entry.deflated ? kMethodDeflated : kMethodStored),
                ErrorCode::kDataCorrupt,
                "{}: its local header names another entry or method",
                where);
  entry.data_offset = local_offset + kLocalSize + name_size + extra_size;
}

void ZipReader::check_overlap(const std::vector<uint64_t>& local_offsets) const {
  std::vector<size_t> order(entries_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t c) {
    return local_offsets[a] < local_offsets[c];
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const Entry& before = entries_[order[i - 1]];
    VOXLOOM_CHECK(before.data_offset + before.packed_size <= local_offsets[order[i]],
                  ErrorCode::kDataCorrupt,
                  "zip archive '{}': entries '{}' and '{}' overlap",
                  name_,
                  before.name,
                  entries_[order[i]].name);
  }
}

const ZipReader::Entry* ZipReader::find(std::string_view entry_name) const {
  const auto it = std::lower_bound(
      by_name_.begin(), by_name_.end(), entry_name, [this](size_t i, std::string_view wanted) {
        return entries_[i].name < wanted;
      });
  if (it == by_name_.end() || entries_[*it].name != entry_name) return nullptr;
  return &entries_[*it];
}

SharedBytes ZipReader::read(const Entry& entry, Checksum checksum) const {
  const std::string where = format("zip archive '{}': entry '{}'", name_, entry.name);
  SharedBytes bytes = archive_.part(entry.data_offset, entry.packed_size);
  if (entry.deflated) {
    bytes = own_bytes(inflate_bytes(bytes.bytes, entry.size, where));
  } else if (checksum == Checksum::kSkipStored) {
    return bytes;
  }
  const uint32_t crc = checksum_of(bytes.bytes);
  VOXLOOM_CHECK(crc == entry.crc,
                ErrorCode::kDataCorrupt,
                "{}: its checksum must be {:08x}, got {:08x}; the file is damaged",
                where,
                entry.crc,
                crc);
  return bytes;
}

SharedBytes ZipReader::read(std::string_view entry_name, Checksum checksum) const {
  const Entry* entry = find(entry_name);
  VOXLOOM_CHECK(entry != nullptr,
                ErrorCode::kDataCorrupt,
                "zip archive '{}': must hold an entry '{}'",
                name_,
                entry_name);
  return read(*entry, checksum);
}

}  // namespace voxloom
