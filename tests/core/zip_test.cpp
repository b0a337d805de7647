#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/core/zip_reader.h"
#include "voxloom/core/zip_writer.h"

namespace voxloom {
namespace {

using Method = ZipWriter::Method;
using testing::HasSubstr;

std::vector<std::byte> archive_of(const std::function<void(ZipWriter&)>& fill) {
  std::vector<std::byte> out;
  ZipWriter zip(
      [&out](std::span<const std::byte> b) { out.insert(out.end(), b.begin(), b.end()); });
  fill(zip);
  zip.finish();
  return out;
}

std::string text_of(const SharedBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()};
}

size_t find_text(const std::vector<std::byte>& bytes, const std::string& text, size_t from = 0) {
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return all.find(text, from);
}

struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

/// Opens and reads every entry.
Failure failure_of(std::vector<std::byte> bytes, const ZipLimits& limits = {}) {
  try {
    const ZipReader zip(own_bytes(std::move(bytes)), "a.zip", limits);
    for (const auto& entry : zip.entries()) (void)zip.read(entry);
  } catch (const Error& e) {
    return {e.code(), e.what()};
  }
  return {ErrorCode::kInternal, "read without an error"};
}

std::vector<std::byte> two_entries() {
  return archive_of([](ZipWriter& zip) {
    zip.add("one.txt", "first entry");
    zip.add("two.txt", std::string(5000, 'x'), Method::kDeflated);
  });
}

TEST(ZipTest, RoundTripsStoredAndDeflatedEntries) {
  const std::string large(3 << 20, 'q');
  const ZipReader zip(own_bytes(archive_of([&](ZipWriter& z) {
                        z.add("folder/stored", "stored text");
                        z.add("empty", "");
                        z.add("large", large, Method::kDeflated);
                        z.add("empty deflated", "", Method::kDeflated);
                      })),
                      "a.zip");
  ASSERT_EQ(zip.entries().size(), 4u);
  EXPECT_EQ(text_of(zip.read("folder/stored")), "stored text");
  EXPECT_EQ(text_of(zip.read("empty")), "");
  EXPECT_EQ(text_of(zip.read("large")), large);
  EXPECT_EQ(text_of(zip.read("empty deflated")), "");
  EXPECT_EQ(zip.find("Large"), nullptr);
  EXPECT_LT(zip.find("large")->packed_size, 10000u);
}

TEST(ZipTest, StoredEntriesAreAlignedViewsOfTheArchive) {
  const auto bytes = archive_of([](ZipWriter& z) {
    for (int i = 0; i < 5; ++i) {
      const std::vector<std::byte> data(static_cast<size_t>(17 + i), std::byte{7});
      z.add("data/" + std::string(static_cast<size_t>(i), 'k'), data, Method::kStored, 64);
    }
  });
  const SharedBytes shared = own_bytes(bytes);
  const ZipReader zip(shared, "a.zip");
  for (const auto& entry : zip.entries()) {
    EXPECT_EQ(entry.data_offset % 64, 0u) << entry.name;
    EXPECT_EQ(zip.read(entry).bytes.data(), shared.bytes.data() + entry.data_offset);
  }
}

TEST(ZipTest, AnEmptyArchiveHasNoEntries) {
  EXPECT_TRUE(ZipReader(own_bytes(archive_of([](ZipWriter&) {})), "e.zip").entries().empty());
}

TEST(ZipTest, EveryTruncationIsAnError) {
  const auto whole = two_entries();
  for (size_t size = 0; size < whole.size(); ++size) {
    const Failure failure =
        failure_of({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)});
    EXPECT_EQ(failure.code, ErrorCode::kDataCorrupt) << size << ": " << failure.message;
  }
}

TEST(ZipTest, ADamagedByteOfDataIsFoundByTheChecksum) {
  auto bytes = two_entries();
  bytes[find_text(bytes, "first entry")] = std::byte{'F'};
  const Failure failure = failure_of(bytes);
  EXPECT_EQ(failure.code, ErrorCode::kDataCorrupt);
  EXPECT_THAT(failure.message, HasSubstr("'one.txt': its checksum must be"));
  const ZipReader zip(own_bytes(bytes), "a.zip");
  EXPECT_EQ(text_of(zip.read("one.txt", ZipReader::Checksum::kSkipStored)), "First entry");
}

/// Overwrites little-endian bytes of the central directory record of `name`.
std::vector<std::byte> patch_directory(std::vector<std::byte> bytes,
                                       const std::string& name,
                                       size_t field,
                                       uint64_t value,
                                       size_t width) {
  const size_t local = find_text(bytes, name);
  const size_t record = find_text(bytes, name, local + 1) - 46;
  for (size_t i = 0; i < width; ++i) {
    bytes[record + field + i] = static_cast<std::byte>(value >> (8 * i));
  }
  return bytes;
}

TEST(ZipTest, RefusesLyingEntries) {
  const auto bytes = two_entries();
  // Unpacked size of the deflated entry: too small, too large.
  EXPECT_THAT(failure_of(patch_directory(bytes, "two.txt", 24, 4999, 4)).message,
              HasSubstr("must unpack to 4999 bytes"));
  EXPECT_THAT(failure_of(patch_directory(bytes, "two.txt", 24, 5001, 4)).message,
              HasSubstr("must unpack to 5001 bytes"));
  EXPECT_THAT(failure_of(patch_directory(bytes, "two.txt", 24, 10, 4)).message,
              HasSubstr("unpacks to more than the 10 bytes"));
  // A stored entry with two sizes, and one that leaves the file.
  EXPECT_THAT(failure_of(patch_directory(bytes, "one.txt", 24, 12, 4)).message,
              HasSubstr("must have one size"));
  EXPECT_THAT(failure_of(patch_directory(bytes, "two.txt", 20, 4000, 4)).message,
              HasSubstr("leave the file"));
  // An offset that points elsewhere, one that makes the entries share bytes.
  EXPECT_THAT(failure_of(patch_directory(bytes, "two.txt", 42, 5, 4)).message,
              HasSubstr("local header is not at offset 5"));
  EXPECT_THAT(failure_of(patch_directory(bytes, "two.txt", 42, 0, 4)).message,
              HasSubstr("names another entry"));
  // Encrypted; an unknown method.
  EXPECT_EQ(failure_of(patch_directory(bytes, "one.txt", 8, 1, 2)).code, ErrorCode::kUnsupported);
  EXPECT_EQ(failure_of(patch_directory(bytes, "one.txt", 10, 12, 2)).code, ErrorCode::kUnsupported);
}

TEST(ZipTest, RefusesOverlappingEntries) {
  // The packed data of "a" holds a whole local entry "b", and the directory lists both.
  const auto inner = archive_of([](ZipWriter& z) { z.add("b", "inner"); });
  const std::string local(reinterpret_cast<const char*>(inner.data()), 30 + 1 + 5);
  auto bytes = archive_of([&](ZipWriter& z) {
    z.add("a", local);
    z.add("b", "inner");
  });
  const size_t second_local = find_text(bytes, local.substr(0, 4), 1);
  const size_t inner_at = 31;
  ASSERT_EQ(second_local, inner_at);
  const size_t directory = find_text(bytes, std::string("PK\x01\x02"));
  const size_t record_b = find_text(bytes, std::string("PK\x01\x02"), directory + 1);
  bytes[record_b + 42] = static_cast<std::byte>(inner_at);
  const Failure failure = failure_of(bytes);
  EXPECT_EQ(failure.code, ErrorCode::kDataCorrupt);
  EXPECT_THAT(failure.message, HasSubstr("entries 'a' and 'b' overlap"));
}

TEST(ZipTest, RefusesDuplicateNames) {
  auto bytes = archive_of([](ZipWriter& z) {
    z.add("aa", "1");
    z.add("ab", "2");
  });
  for (size_t at = 0; (at = find_text(bytes, "ab", at)) != std::string::npos; ++at) {
    bytes[at + 1] = std::byte{'a'};
  }
  EXPECT_THAT(failure_of(bytes).message, HasSubstr("two entries named 'aa'"));
}

TEST(ZipTest, LimitsCountSizeAndRatio) {
  ZipLimits limits;
  limits.max_entries = 1;
  EXPECT_EQ(failure_of(two_entries(), limits).code, ErrorCode::kUnsupported);
  limits = {};
  limits.max_entry_bytes = 4999;
  EXPECT_EQ(failure_of(two_entries(), limits).code, ErrorCode::kUnsupported);
  limits = {};
  limits.max_total_bytes = 5010;
  EXPECT_EQ(failure_of(two_entries(), limits).code, ErrorCode::kUnsupported);
  limits = {};
  limits.max_ratio = 100;
  const auto bomb =
      archive_of([](ZipWriter& z) { z.add("b", std::string(2 << 20, '\0'), Method::kDeflated); });
  EXPECT_THAT(failure_of(bomb, limits).message, HasSubstr("zip bomb"));
  EXPECT_EQ(failure_of(bomb).message, "read without an error");
}

TEST(ZipTest, WritesAndReadsMoreEntriesThanTheOldFormatCounts) {
  const auto bytes = archive_of([](ZipWriter& z) {
    for (int i = 0; i < 66000; ++i) z.add(std::to_string(i), "x");
  });
  const ZipReader zip(own_bytes(bytes), "a.zip");
  EXPECT_EQ(zip.entries().size(), 66000u);
  EXPECT_EQ(text_of(zip.read("65999")), "x");
}

TEST(ZipTest, ReadsAZip64EndRecordOfASmallArchive) {
  const auto bytes = archive_of([](ZipWriter& z) {
    for (int i = 0; i < 3; ++i) z.add(std::to_string(i), "x");
  });
  // The same archive with a zip64 end record and locator in front of the plain one.
  const size_t end = bytes.size() - 22;
  const auto get = [&](size_t at) {
    uint64_t v = 0;
    for (size_t i = 4; i-- > 0;) v = v << 8 | std::to_integer<uint64_t>(bytes[at + i]);
    return v;
  };
  std::vector<std::byte> large(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(end));
  const auto put = [&](uint64_t v, int width) {
    for (int i = 0; i < width; ++i) large.push_back(static_cast<std::byte>(v >> (8 * i)));
  };
  put(0x06064b50, 4), put(44, 8), put(45, 2), put(45, 2), put(0, 4), put(0, 4);
  put(3, 8), put(3, 8), put(get(end + 12), 8), put(get(end + 16), 8);
  put(0x07064b50, 4), put(0, 4), put(end, 8), put(1, 4);
  put(0x06054b50, 4), put(0, 4), put(0xffff, 2), put(0xffff, 2), put(0xffffffff, 4);
  put(0xffffffff, 4), put(0, 2);
  const ZipReader zip(own_bytes(large), "a.zip");
  EXPECT_EQ(zip.entries().size(), 3u);
  EXPECT_EQ(text_of(zip.read("2")), "x");
}

TEST(ZipTest, TheWriterRefusesBadNames) {
  ZipWriter zip([](std::span<const std::byte>) {});
  zip.add("a", "1");
  EXPECT_THROW(zip.add("a", "2"), Error);
  EXPECT_THROW(zip.add("", "2"), Error);
  EXPECT_THROW(zip.add(std::string(65536, 'n'), "2"), Error);
}

}  // namespace
}  // namespace voxloom
