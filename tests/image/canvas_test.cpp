#include "voxloom/image/canvas.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/image/font.h"

namespace voxloom::image {
namespace {

int64_t count(const Canvas& canvas, Color color) {
  int64_t n = 0;
  for (int64_t y = 0; y < canvas.height(); ++y) {
    for (int64_t x = 0; x < canvas.width(); ++x) n += canvas.at(x, y) == color;
  }
  return n;
}

constexpr Color kRed{200, 10, 20};
constexpr Color kGrey{90, 90, 90};

TEST(CanvasTest, CutsOffWhatLiesOutside) {
  Canvas canvas(10, 8, kGrey);
  canvas.set(-1, 0, kRed);
  canvas.set(10, 0, kRed);
  canvas.fill({-5, -5, 7, 7}, kRed);
  EXPECT_EQ(count(canvas, kRed), 4);
  canvas.line(-20, 7, 30, 7, kRed);
  EXPECT_EQ(count(canvas, kRed), 14);
  canvas.mark(0, 0, true);
  canvas.text(8, 6, "out");
  EXPECT_THROW(static_cast<void>(canvas.at(10, 0)), Error);
  EXPECT_THROW(Canvas(0, 4), Error);
}

TEST(CanvasTest, BlendMixes) {
  Canvas canvas(1, 1, kBlack);
  canvas.blend(0, 0, kWhite, 0.25);
  EXPECT_EQ(canvas.at(0, 0), (Color{64, 64, 64}));
}

TEST(CanvasTest, FrameIsDrawnInwards) {
  Canvas canvas(10, 10, kGrey);
  canvas.frame({2, 3, 5, 4}, kRed);
  EXPECT_EQ(count(canvas, kRed), 14);
  EXPECT_EQ(canvas.at(2, 3), kRed);
  EXPECT_EQ(canvas.at(6, 6), kRed);
  EXPECT_EQ(canvas.at(3, 4), kGrey);
}

TEST(CanvasTest, ClicksDifferInShapeAsWellAsColour) {
  Canvas positive(31, 31, kGrey), negative(31, 31, kGrey);
  positive.mark(15, 15, true);
  negative.mark(15, 15, false);
  EXPECT_EQ(positive.at(15, 10), kPositiveColor);
  EXPECT_NE(positive.at(11, 11), kPositiveColor);
  EXPECT_EQ(negative.at(11, 11), kNegativeColor);
  EXPECT_NE(negative.at(15, 10), kNegativeColor);
  EXPECT_EQ(positive.at(24, 15), kPositiveColor);  // The ring.
  EXPECT_GT(count(positive, kBlack), 20);          // The rim.
}

TEST(CanvasTest, TextTakesItsWidthAndShowsItsPixels) {
  EXPECT_EQ(Canvas::text_width("z=34"), 23);
  EXPECT_EQ(Canvas::text_width("z=34", 2), 46);
  EXPECT_EQ(Canvas::text_width(""), 0);
  Canvas canvas(40, 20, kGrey);
  canvas.text(3, 4, "-", kRed, 2);
  EXPECT_EQ(count(canvas, kRed), 20);  // Five by one pixels, doubled.
  EXPECT_EQ(canvas.at(3, 10), kRed);
  EXPECT_EQ(canvas.at(12, 11), kRed);
}

TEST(FontTest, EveryPrintableCharacterHasItsOwnGlyph) {
  std::set<Glyph> glyphs;
  for (int c = 32; c < 127; ++c) glyphs.insert(font_glyph(static_cast<char>(c)));
  EXPECT_EQ(glyphs.size(), 95U);
  EXPECT_EQ(glyphs.count(font_glyph('\n')), 0U);
  EXPECT_EQ(font_glyph('\n'), font_glyph(static_cast<char>(200)));
}

TEST(LabelColorTest, NeighbouringValuesDiffer) {
  for (uint16_t v = 1; v < 20; ++v) {
    EXPECT_NE(label_color(v), label_color(static_cast<uint16_t>(v + 1)));
  }
}

}  // namespace
}  // namespace voxloom::image
