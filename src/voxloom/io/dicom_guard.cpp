#include "voxloom/io/dicom_guard.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include <zlib.h>

#include "voxloom/core/error.h"
#include "voxloom/core/mapped_file.h"

namespace voxloom::io::dicom {
namespace {

using Bytes = std::span<const std::byte>;

constexpr size_t kMaxDepth = 64;  // Structured reports, the deepest in practice, reach about 20.
constexpr size_t kMaxInflated = size_t{1} << 31;
constexpr uint32_t kUndefined = 0xFFFFFFFF;
constexpr uint32_t kItem = 0xFFFEE000, kItemEnd = 0xFFFEE00D, kSequenceEnd = 0xFFFEE0DD;
constexpr uint32_t kPixelData = 0x7FE00010, kTransferSyntax = 0x00020010;

struct Coding {
  bool explicit_vr = true;
  bool big_endian = false;
};

uint32_t read_number(Bytes b, size_t at, size_t count, bool big_endian) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t from = big_endian ? at + i : at + count - 1 - i;
    value = (value << 8) | static_cast<uint32_t>(b[from]);
  }
  return value;
}

uint32_t read_tag(Bytes b, size_t at, bool big_endian) {
  return (read_number(b, at, 2, big_endian) << 16) | read_number(b, at + 2, 2, big_endian);
}

// Value representations with a 2-byte length; all others, also future ones, have 4 bytes.
bool has_short_length(std::string_view vr) {
  constexpr std::string_view kShort =
      "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US ";
  if (!(vr[0] >= 'A' && vr[0] <= 'Z' && vr[1] >= 'A' && vr[1] <= 'Z')) return true;
  for (size_t i = 0; i < kShort.size(); i += 3) {
    if (kShort.substr(i, 2) == vr) return true;
  }
  return false;
}

struct Element {
  uint32_t tag = 0;
  std::string_view vr;  // Empty in implicit coding.
  uint32_t length = 0;
  size_t value = 0;  // Offset of the value.
};

// False at the end of the bytes.
bool next_element(Bytes b, size_t at, Coding coding, Element& e) {
  if (at > b.size() || b.size() - at < 8) return false;
  e.tag = read_tag(b, at, coding.big_endian);
  e.vr = {};
  e.value = at + 8;
  if ((e.tag >> 16) == 0xFFFE || !coding.explicit_vr) {
    e.length = read_number(b, at + 4, 4, coding.big_endian);
    return true;
  }
  e.vr = {reinterpret_cast<const char*>(b.data()) + at + 4, 2};
  if (has_short_length(e.vr)) {
    e.length = read_number(b, at + 6, 2, coding.big_endian);
    return true;
  }
  if (b.size() - at < 12) return false;
  e.length = read_number(b, at + 8, 4, coding.big_endian);
  e.value = at + 12;
  return true;
}

struct Level {
  size_t end = 0;  // Of a defined length; else the end of the bytes.
  Coding coding;
  bool fragments = false;  // Items are pixels, not data sets.
};

// True when the element's value holds items. Without a dictionary, an implicit element counts
// when its value starts like one.
bool holds_items(Bytes b, const Element& e, Coding coding) {
  if (e.length == kUndefined || e.vr == "SQ") return true;
  return !coding.explicit_vr && e.length >= 8 && e.value + 8 <= b.size() &&
         read_tag(b, e.value, coding.big_endian) == kItem;
}

void check_nesting(Bytes b, Coding coding) {
  std::vector<Level> levels{{b.size(), coding, false}};
  size_t at = 0;
  Element e;
  while (true) {
    while (levels.size() > 1 && at >= levels.back().end) levels.pop_back();
    const Level here = levels.back();
    if (!next_element(b, at, here.coding, e)) return;
    VOXLOOM_CHECK(e.length == kUndefined || e.length <= b.size() - e.value,
                  ErrorCode::kDataCorrupt,
                  "element ({:04x},{:04x}) must end within the file, {} bytes are missing: "
                  "truncated?",
                  e.tag >> 16,
                  e.tag & 0xFFFF,
                  e.length - (b.size() - e.value));
    const auto end_of = [&] { return e.length == kUndefined ? b.size() : e.value + e.length; };
    at = e.value;
    if (e.tag == kItemEnd || e.tag == kSequenceEnd) {
      if (levels.size() > 1) levels.pop_back();
    } else if (e.tag == kItem) {
      if (here.fragments) {
        at = end_of();
      } else {
        levels.push_back({end_of(), here.coding, false});
      }
    } else if (holds_items(b, e, here.coding)) {
      // An unknown element of undefined length is coded implicitly inside.
      const Coding inner = e.vr == "UN" ? Coding{false, false} : here.coding;
      const bool fragments = e.tag == kPixelData || e.vr == "OB" || e.vr == "OW";
      levels.push_back({end_of(), inner, fragments});
    } else {
      at = end_of();
    }
    VOXLOOM_CHECK(levels.size() <= 2 * kMaxDepth,  // A sequence and its item are two levels.
                  ErrorCode::kDataCorrupt,
                  "sequences must nest at most {} deep",
                  kMaxDepth);
  }
}

std::vector<std::byte> inflated(Bytes deflated) {
  z_stream stream{};
  VOXLOOM_CHECK(inflateInit2(&stream, -15) == Z_OK, ErrorCode::kUnavailable, "zlib must start");
  std::vector<std::byte> out(std::clamp<size_t>(deflated.size() * 8, 1 << 16, 1 << 26));
  size_t used = 0;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(deflated.data()));
  size_t left = deflated.size();
  int status = Z_OK;
  while (status == Z_OK) {
    if (used == out.size()) {
      if (out.size() >= kMaxInflated) break;
      out.resize(std::min(out.size() * 2, kMaxInflated));
    }
    if (stream.avail_in == 0) {
      stream.avail_in = static_cast<uInt>(std::min<size_t>(left, 1 << 30));
      left -= stream.avail_in;
    }
    const auto room = static_cast<uInt>(std::min<size_t>(out.size() - used, 1 << 30));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = room;
    status = inflate(&stream, Z_NO_FLUSH);
    used += room - stream.avail_out;
    if (stream.avail_in == 0 && left == 0 && stream.avail_out > 0) break;
  }
  inflateEnd(&stream);
  VOXLOOM_CHECK(used < kMaxInflated,
                ErrorCode::kUnsupported,
                "a deflated data set must hold less than {} GiB",
                kMaxInflated >> 30);
  out.resize(used);
  return out;
}

}  // namespace

void check_dicom_structure(const std::filesystem::path& path) {
  const SharedBytes file = map_file(path);
  Bytes b = file.bytes;
  const bool preamble = b.size() >= 132 && std::memcmp(b.data() + 128, "DICM", 4) == 0;
  if (preamble) b = b.subspan(132);

  std::string syntax;
  size_t at = 0;
  Element e;
  while (next_element(b, at, Coding{}, e) && (e.tag >> 16) == 0x0002 && e.length != kUndefined &&
         e.length <= b.size() - e.value) {
    if (e.tag == kTransferSyntax) {
      syntax.assign(reinterpret_cast<const char*>(b.data()) + e.value, e.length);
      syntax = syntax.substr(0, syntax.find_first_of(std::string_view("\0 ", 2)));
    }
    at = e.value + e.length;
  }
  b = b.subspan(at);
  Coding coding;
  if (syntax.empty()) {
    const auto upper = [&](size_t i) {
      return i < b.size() && b[i] >= std::byte{'A'} && b[i] <= std::byte{'Z'};
    };
    coding.explicit_vr = upper(4) && upper(5);
    coding.big_endian = b.size() > 1 && b[0] == std::byte{0};
  } else {
    coding.explicit_vr = syntax != "1.2.840.10008.1.2";
    coding.big_endian = syntax == "1.2.840.10008.1.2.2";
  }
  try {
    if (syntax == "1.2.840.10008.1.2.1.99") {
      const auto data = inflated(b);
      check_nesting(data, coding);
    } else {
      check_nesting(b, coding);
    }
  } catch (const Error& error) {
    throw error.with_context("'" + path.filename().string() + "'");
  }
}

}  // namespace voxloom::io::dicom
