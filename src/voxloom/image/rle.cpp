#include "voxloom/image/rle.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

constexpr int64_t kGroupBits = 5, kGroupMask = 0x1f, kSignBit = 0x10, kMore = 0x20, kFirst = 48;
constexpr int64_t kMaxGroups = 7;  // 35 bits: any difference of two 32-bit runs.

void check_size(int64_t height, int64_t width) {
  VOXLOOM_CHECK(height > 0 && width > 0 && height <= kMaxRlePixels && width <= kMaxRlePixels &&
                    height * width <= kMaxRlePixels,
                ErrorCode::kDataCorrupt,
                "rle: size must be positive and hold at most {} pixels, got [{}, {}]",
                kMaxRlePixels,
                height,
                width);
}

// One number of the compressed form; moves `at` behind it.
int64_t read_number(std::string_view text, size_t& at) {
  int64_t value = 0;
  for (int64_t group = 0; group < kMaxGroups; ++group) {
    VOXLOOM_CHECK(at < text.size(),
                  ErrorCode::kDataCorrupt,
                  "rle: the last number must end, got end of text after {} characters",
                  text.size());
    const int64_t c = static_cast<unsigned char>(text[at]) - kFirst;
    VOXLOOM_CHECK(c >= 0 && c < 64,
                  ErrorCode::kDataCorrupt,
                  "rle: characters must lie within '0' ... 'o', got code {} at {}",
                  c + kFirst,
                  at);
    ++at;
    value |= (c & kGroupMask) << (kGroupBits * group);
    if ((c & kMore) != 0) continue;
    if ((c & kSignBit) != 0) value -= int64_t{1} << (kGroupBits * (group + 1));
    return value;
  }
  throw Error(ErrorCode::kDataCorrupt,
              format("rle: a number must fit into {} characters, got more at {}", kMaxGroups, at));
}

}  // namespace

Rle encode_rle(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && mask.size() == static_cast<size_t>(width * height) &&
                    width * height <= kMaxRlePixels,
                ErrorCode::kInvalidArgument,
                "rle: mask must hold {}x{} pixels, at most {}, got {}",
                width,
                height,
                kMaxRlePixels,
                mask.size());
  Rle rle{height, width, {}};
  bool inside = false;
  uint32_t run = 0;
  for (int64_t x = 0; x < width; ++x) {
    for (int64_t y = 0; y < height; ++y) {
      if ((mask[static_cast<size_t>(y * width + x)] != 0) != inside) {
        rle.counts.push_back(run);
        run = 0;
        inside = !inside;
      }
      ++run;
    }
  }
  rle.counts.push_back(run);
  return rle;
}

void validate_rle(const Rle& rle) {
  check_size(rle.height, rle.width);
  const int64_t pixels = rle.height * rle.width;
  int64_t sum = 0;
  for (const uint32_t run : rle.counts) {
    sum += run;
    if (sum > pixels) break;
  }
  VOXLOOM_CHECK(sum == pixels,
                ErrorCode::kDataCorrupt,
                "rle: runs must fill the {} pixels of [{}, {}], got {}{}",
                pixels,
                rle.height,
                rle.width,
                sum > pixels ? "at least " : "",
                sum);
}

std::vector<uint8_t> decode_rle(const Rle& rle) {
  validate_rle(rle);
  std::vector<uint8_t> mask(static_cast<size_t>(rle.height * rle.width), 0);
  int64_t at = 0;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t end = at + rle.counts[i];
    if (i % 2 == 1) {
      for (; at < end; ++at) {
        mask[static_cast<size_t>(at % rle.height * rle.width + at / rle.height)] = 1;
      }
    }
    at = end;
  }
  return mask;
}

std::string rle_to_string(const Rle& rle) {
  std::string text;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    int64_t value = rle.counts[i];
    if (i > 2) value -= rle.counts[i - 2];
    for (bool more = true; more;) {
      int64_t group = value & kGroupMask;
      value >>= kGroupBits;
      more = value != ((group & kSignBit) != 0 ? -1 : 0);
      if (more) group |= kMore;
      text.push_back(static_cast<char>(group + kFirst));
    }
  }
  return text;
}

Rle rle_from_string(std::string_view text, int64_t height, int64_t width) {
  check_size(height, width);
  Rle rle{height, width, {}};
  const int64_t pixels = height * width;
  for (size_t at = 0; at < text.size();) {
    int64_t value = read_number(text, at);
    const size_t n = rle.counts.size();
    if (n > 2) value += rle.counts[n - 2];
    VOXLOOM_CHECK(value >= 0 && value <= pixels,
                  ErrorCode::kDataCorrupt,
                  "rle: run {} must lie within 0 ... {} pixels, got {}",
                  n,
                  pixels,
                  value);
    rle.counts.push_back(static_cast<uint32_t>(value));
  }
  validate_rle(rle);
  return rle;
}

int64_t rle_area(const Rle& rle) {
  int64_t area = 0;
  for (size_t i = 1; i < rle.counts.size(); i += 2) area += rle.counts[i];
  return area;
}

std::array<int64_t, 4> rle_box(const Rle& rle) {
  validate_rle(rle);
  const int64_t h = rle.height;
  int64_t x0 = rle.width, x1 = -1, y0 = h, y1 = -1, at = 0;
  for (size_t i = 0; i < rle.counts.size(); ++i) {
    const int64_t end = at + rle.counts[i];
    if (i % 2 == 1 && end > at) {
      const int64_t first = at / h, last = (end - 1) / h;
      x0 = std::min(x0, first);
      x1 = std::max(x1, last);
      // A run over two columns holds the foot of one and the head of the next.
      y0 = std::min(y0, first == last ? at % h : 0);
      y1 = std::max(y1, first == last ? (end - 1) % h : h - 1);
    }
    at = end;
  }
  if (x1 < 0) return {0, 0, 0, 0};
  return {x0, y0, x1 - x0 + 1, y1 - y0 + 1};
}

}  // namespace voxloom::image
