#include "voxloom/image/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "voxloom/core/error.h"
#include "voxloom/image/font.h"

namespace voxloom::image {

Color label_color(uint16_t value) {
  constexpr std::array<Color, 8> kColors{Color{255, 176, 0},    // orange
                                         Color{86, 180, 233},   // sky blue
                                         Color{230, 105, 185},  // reddish purple
                                         Color{0, 190, 140},    // bluish green
                                         Color{240, 228, 66},   // yellow
                                         Color{60, 130, 255},   // blue
                                         Color{235, 100, 20},   // vermilion
                                         Color{200, 200, 200}};
  return kColors[value == 0 ? 7 : static_cast<size_t>(value - 1) % 8];
}

Canvas::Canvas(int64_t width, int64_t height, Color background) : width_(width), height_(height) {
  VOXLOOM_CHECK(width >= 1 && height >= 1 && width <= 32768 && height <= 32768,
                ErrorCode::kInvalidArgument,
                "canvas: sizes must lie within [1, 32768], got {}x{}",
                width,
                height);
  pixels_.reserve(static_cast<size_t>(3 * width * height));
  for (int64_t i = 0; i < width * height; ++i) {
    pixels_.insert(pixels_.end(), {background.r, background.g, background.b});
  }
}

Color Canvas::at(int64_t x, int64_t y) const {
  VOXLOOM_CHECK(x >= 0 && y >= 0 && x < width_ && y < height_,
                ErrorCode::kInvalidArgument,
                "canvas: pixel must lie within {}x{}, got ({}, {})",
                width_,
                height_,
                x,
                y);
  const uint8_t* const p = pixels_.data() + 3 * (y * width_ + x);
  return {p[0], p[1], p[2]};
}

void Canvas::set(int64_t x, int64_t y, Color color) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  uint8_t* const p = pixels_.data() + 3 * (y * width_ + x);
  p[0] = color.r;
  p[1] = color.g;
  p[2] = color.b;
}

void Canvas::blend(int64_t x, int64_t y, Color color, double opacity) {
  if (x < 0 || y < 0 || x >= width_ || y >= height_) return;
  uint8_t* const p = pixels_.data() + 3 * (y * width_ + x);
  const uint8_t top[3] = {color.r, color.g, color.b};
  for (int k = 0; k < 3; ++k) {
    p[k] = static_cast<uint8_t>(std::lround(p[k] + (top[k] - p[k]) * opacity));
  }
}

void Canvas::fill(const PixelRect& rect, Color color, double opacity) {
  const int64_t x1 = std::min(width_, rect.x + rect.width);
  const int64_t y1 = std::min(height_, rect.y + rect.height);
  for (int64_t y = std::max<int64_t>(0, rect.y); y < y1; ++y) {
    for (int64_t x = std::max<int64_t>(0, rect.x); x < x1; ++x) blend(x, y, color, opacity);
  }
}

void Canvas::frame(const PixelRect& rect, Color color, int64_t thickness) {
  const int64_t t = std::min({thickness, rect.width, rect.height});
  fill({rect.x, rect.y, rect.width, t}, color);
  fill({rect.x, rect.y + rect.height - t, rect.width, t}, color);
  fill({rect.x, rect.y, t, rect.height}, color);
  fill({rect.x + rect.width - t, rect.y, t, rect.height}, color);
}

void Canvas::line(int64_t x0, int64_t y0, int64_t x1, int64_t y1, Color color, int64_t thickness) {
  // A square pen of `thickness` pixels is moved along the longer axis.
  const int64_t steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), int64_t{1}});
  const int64_t back = (thickness - 1) / 2;
  for (int64_t i = 0; i <= steps; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(steps);
    const auto x = x0 + std::llround(t * static_cast<double>(x1 - x0));
    const auto y = y0 + std::llround(t * static_cast<double>(y1 - y0));
    fill({x - back, y - back, thickness, thickness}, color);
  }
}

void Canvas::mark(int64_t x, int64_t y, bool positive, int64_t radius) {
  const Color color = positive ? kPositiveColor : kNegativeColor;
  const auto strokes = [&](int64_t reach, int64_t thickness, Color c) {
    if (positive) {
      line(x - reach, y, x + reach, y, c, thickness);
      line(x, y - reach, x, y + reach, c, thickness);
    } else {
      line(x - reach, y - reach, x + reach, y + reach, c, thickness);
      line(x - reach, y + reach, x + reach, y - reach, c, thickness);
    }
  };
  const auto ring = [&](double inner, double outer, Color c) {
    const auto reach = static_cast<int64_t>(std::ceil(outer));
    for (int64_t dy = -reach; dy <= reach; ++dy) {
      for (int64_t dx = -reach; dx <= reach; ++dx) {
        const double d = std::hypot(static_cast<double>(dx), static_cast<double>(dy));
        if (d >= inner && d <= outer) set(x + dx, y + dy, c);
      }
    }
  };
  const auto r = static_cast<double>(radius);
  // The ends of a diagonal stroke lie farther out than those of an upright one.
  const int64_t arm = std::max<int64_t>(1, positive ? radius - 4 : (radius - 3) * 7 / 10);
  ring(r - 2.0, r + 2.0, kBlack);
  strokes(arm, 5, kBlack);
  ring(r - 1.0, r + 1.0, color);
  strokes(arm, 3, color);
}

void Canvas::text(int64_t x, int64_t y, std::string_view text, Color color, int64_t scale) {
  const auto draw = [&](Color c, int64_t grow) {
    int64_t left = x;
    for (const char letter : text) {
      const Glyph& glyph = font_glyph(letter);
      for (int64_t row = 0; row < 7; ++row) {
        for (int64_t column = 0; column < 5; ++column) {
          if ((glyph[static_cast<size_t>(row)] >> (4 - column) & 1) == 0) continue;
          fill({left + column * scale - grow,
                y + row * scale - grow,
                scale + 2 * grow,
                scale + 2 * grow},
               c);
        }
      }
      left += 6 * scale;
    }
  };
  draw(kBlack, 1);
  draw(color, 0);
}

int64_t Canvas::text_width(std::string_view text, int64_t scale) {
  return text.empty() ? 0 : (6 * static_cast<int64_t>(text.size()) - 1) * scale;
}

void Canvas::paste(const Canvas& other, int64_t x, int64_t y) {
  for (int64_t v = 0; v < other.height_; ++v) {
    for (int64_t u = 0; u < other.width_; ++u) set(x + u, y + v, other.at(u, v));
  }
}

}  // namespace voxloom::image
