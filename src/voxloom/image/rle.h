#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::image {

/// A binary mask as COCO's run lengths: pixels in column order (down each column, columns from left
/// to right), runs of zeros and ones in turn, zeros first (that run may be empty).
///
/// The compressed form is text. From the fourth run on, the difference to the run two places before
/// is written instead of the run. A number is cut into groups of 5 bits, lowest first, until the
/// rest is 0 or -1 and the last group's bit 0x10 tells its sign; each group but the last gets bit
/// 0x20; 48 is added, so characters lie within '0' ... 'o'.
struct Rle {
  int64_t height = 0, width = 0;
  std::vector<uint32_t> counts;

  bool operator==(const Rle&) const = default;
};

/// Largest mask that is decoded, in pixels.
inline constexpr int64_t kMaxRlePixels = int64_t{1} << 28;

/// mask [height, width], any value but 0 is inside. Throws kInvalidArgument for a wrong length or
/// more than kMaxRlePixels.
[[nodiscard]] Rle encode_rle(std::span<const uint8_t> mask, int64_t width, int64_t height);

/// -> [height, width] of 0 and 1. Throws as validate_rle().
[[nodiscard]] std::vector<uint8_t> decode_rle(const Rle& rle);

/// Throws kDataCorrupt unless the size is positive, within kMaxRlePixels, and the runs fill it.
void validate_rle(const Rle& rle);

/// The compressed form.
[[nodiscard]] std::string rle_to_string(const Rle& rle);

/// Reads the compressed form; text of outside origin. Throws kDataCorrupt for characters outside
/// '0' ... 'o', a number that does not end or does not fit, and as validate_rle().
[[nodiscard]] Rle rle_from_string(std::string_view text, int64_t height, int64_t width);

/// Pixels inside.
[[nodiscard]] int64_t rle_area(const Rle& rle);

/// {x, y, width, height} of the smallest box that holds the mask; zeros for an empty one.
[[nodiscard]] std::array<int64_t, 4> rle_box(const Rle& rle);

}  // namespace voxloom::image
