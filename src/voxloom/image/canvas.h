#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace voxloom::image {

struct Color {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Color&) const = default;
};

/// Colours of labels and marks that stay apart under the common forms of colour blindness (Okabe
/// and Ito's set, brightened where it would vanish on grey).
[[nodiscard]] Color label_color(uint16_t value);

inline constexpr Color kWhite{255, 255, 255}, kBlack{0, 0, 0};
inline constexpr Color kPositiveColor{0, 220, 130};  ///< Clicks inside; drawn with a plus sign.
inline constexpr Color kNegativeColor{255, 80, 40};  ///< Clicks outside; drawn with a cross.

/// A rectangle of canvas pixels.
struct PixelRect {
  int64_t x = 0, y = 0, width = 0, height = 0;
};

/// A small RGB picture to draw previews on. Coordinates are canvas pixels, x to the right and y
/// down; whatever lies outside is cut off. For writing, pixels() is [height, width, 3].
class Canvas {
 public:
  /// Throws kInvalidArgument unless both sizes lie within [1, 32768].
  Canvas(int64_t width, int64_t height, Color background = kBlack);

  [[nodiscard]] int64_t width() const { return width_; }
  [[nodiscard]] int64_t height() const { return height_; }
  [[nodiscard]] const std::vector<uint8_t>& pixels() const { return pixels_; }
  [[nodiscard]] Color at(int64_t x, int64_t y) const;

  void set(int64_t x, int64_t y, Color color);
  /// Mixes: opacity 0 leaves the pixel, 1 replaces it.
  void blend(int64_t x, int64_t y, Color color, double opacity);
  void fill(const PixelRect& rect, Color color, double opacity = 1.0);
  /// The frame of `rect`, drawn inwards.
  void frame(const PixelRect& rect, Color color, int64_t thickness = 1);
  /// A straight line, both ends included.
  void line(int64_t x0, int64_t y0, int64_t x1, int64_t y1, Color color, int64_t thickness = 1);

  /// A click: a plus (positive) or a diagonal cross (negative) in a ring of `radius` pixels,
  /// with a dark rim so that it shows on any ground.
  void mark(int64_t x, int64_t y, bool positive, int64_t radius = 9);

  /// Text with its top left corner at (x, y), 5x7 pixels a character times `scale`, on a dark rim.
  /// Printable ASCII; anything else shows as a box.
  void text(int64_t x, int64_t y, std::string_view text, Color color = kWhite, int64_t scale = 1);
  [[nodiscard]] static int64_t text_width(std::string_view text, int64_t scale = 1);
  [[nodiscard]] static int64_t text_height(int64_t scale = 1) { return 7 * scale; }

  /// Copies `other` with its top left corner at (x, y).
  void paste(const Canvas& other, int64_t x, int64_t y);

 private:
  int64_t width_, height_;
  std::vector<uint8_t> pixels_;
};

}  // namespace voxloom::image
