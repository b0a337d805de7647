#pragma once

#include <array>
#include <cstdint>

namespace voxloom::image {

/// Seven rows of five pixels, from the top; bit 4 is the leftmost pixel.
using Glyph = std::array<uint8_t, 7>;

/// The glyph of a printable ASCII character; a box for every other one.
[[nodiscard]] const Glyph& font_glyph(char letter);

}  // namespace voxloom::image
