#include "voxloom/filters/field_of_view.h"

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/filters/convex_hull.h"
#include "voxloom/filters/outside_fill.h"

#include "pictures.h"

namespace voxloom::filters {
namespace {

using Shape = FieldOfView::Shape;

image::Frame noisy_anatomy(int64_t width, int64_t height) {
  image::Frame frame = test::anatomy(width, height);
  test::add_noise(frame, 0.01, 4);
  return frame;
}

/// Blackens what `inside` refuses, with a little noise as video compression leaves it.
template <class Inside>
void blacken(image::Frame& frame, Inside inside) {
  Rng rng(8);
  for (int64_t y = 0; y < frame.height; ++y) {
    for (int64_t x = 0; x < frame.width; ++x) {
      if (inside(x, y)) continue;
      frame.pixels[static_cast<size_t>(y * frame.width + x)] =
          static_cast<float>(rng.uniform(0.0, 0.01));
    }
  }
}

TEST(FieldOfViewTest, AFullFrameIsLeftWhole) {
  const auto field = find_field_of_view(FrameView(noisy_anatomy(200, 160)));
  EXPECT_EQ(field.shape, Shape::kWhole);
  EXPECT_TRUE(field.mask.empty());
  EXPECT_EQ(field.share(), 1.0);
}

TEST(FieldOfViewTest, FindsBladesOnEverySideToThePixel) {
  image::Frame frame = noisy_anatomy(200, 160);
  blacken(frame, [](int64_t x, int64_t y) { return x >= 24 && x < 190 && y >= 7 && y < 150; });
  const auto field = find_field_of_view(FrameView(frame));
  EXPECT_EQ(field.shape, Shape::kRectangle);
  EXPECT_EQ(field.left, 24);
  EXPECT_EQ(field.right, 190);
  EXPECT_EQ(field.top, 7);
  EXPECT_EQ(field.bottom, 150);
  EXPECT_NEAR(field.share(), 166.0 * 143 / (200 * 160), 1e-9);
}

TEST(FieldOfViewTest, ADarkObjectAtTheEdgeIsNoBlade) {
  image::Frame frame = noisy_anatomy(200, 160);
  blacken(frame, [](int64_t x, int64_t y) { return x >= 20 || y >= 60; });
  EXPECT_EQ(find_field_of_view(FrameView(frame)).shape, Shape::kWhole);
}

TEST(FieldOfViewTest, FindsARoundField) {
  image::Frame frame = noisy_anatomy(256, 256);
  blacken(frame, [](int64_t x, int64_t y) {
    return std::hypot(static_cast<double>(x) - 130, static_cast<double>(y) - 124) <= 110;
  });
  const auto field = find_field_of_view(FrameView(frame));
  ASSERT_EQ(field.shape, Shape::kCircle);
  EXPECT_NEAR(field.centre_x, 130, 1.0);
  EXPECT_NEAR(field.centre_y, 124, 1.0);
  EXPECT_NEAR(field.radius, 110, 1.5);
  EXPECT_EQ(field.mask[0], 0);
  EXPECT_EQ(field.mask[124 * 256 + 130], 1);
}

TEST(FieldOfViewTest, FindsARoundFieldThatTheFrameCutsOff) {
  image::Frame frame = noisy_anatomy(256, 256);
  blacken(frame, [](int64_t x, int64_t y) {
    return std::hypot(static_cast<double>(x) - 127.5, static_cast<double>(y) - 127.5) <= 145;
  });
  const auto field = find_field_of_view(FrameView(frame));
  ASSERT_EQ(field.shape, Shape::kCircle);
  EXPECT_NEAR(field.radius, 145, 2.0);
  EXPECT_EQ(field.mask[0], 0);
  EXPECT_EQ(field.mask[128 * 256], 1);
}

TEST(FieldOfViewTest, LeavesBurnedInTextOut) {
  image::Frame frame = noisy_anatomy(256, 256);
  const auto bar = [&](int64_t x0, int64_t y0, int64_t w, int64_t h) {
    for (int64_t y = y0; y < y0 + h; ++y) {
      for (int64_t x = x0; x < x0 + w; ++x) frame.pixels[static_cast<size_t>(y * 256 + x)] = 1.0F;
    }
  };
  bar(10, 12, 4, 12);     // A letter.
  bar(20, 12, 6, 12);     // Another.
  bar(120, 120, 6, 12);   // As large, but in the middle: not text.
  bar(230, 100, 10, 90);  // Too high: bright background beside the patient.
  // A soft bright region by the edge that is white in the middle alone: direct exposure.
  for (int64_t y = 180; y < 220; ++y) {
    for (int64_t x = 2; x < 42; ++x) {
      const double off = std::hypot(static_cast<double>(x) - 22, static_cast<double>(y) - 200);
      frame.pixels[static_cast<size_t>(y * 256 + x)] = static_cast<float>(0.95 - off * 0.008);
    }
  }
  const auto field = find_field_of_view(FrameView(frame));
  EXPECT_EQ(field.text_parts, 2);
  ASSERT_FALSE(field.mask.empty());
  EXPECT_EQ(field.mask[15 * 256 + 11], 0);
  EXPECT_EQ(field.text[15 * 256 + 11], 1);
  EXPECT_EQ(field.text[100 * 256 + 100], 0);
  EXPECT_EQ(field.mask[15 * 256 + 9], 0);
  EXPECT_EQ(field.mask[125 * 256 + 122], 1);
  EXPECT_EQ(field.mask[150 * 256 + 235], 1);
}

TEST(FieldOfViewTest, BlackAndTinyFramesAreAnswered) {
  const std::vector<float> black(64 * 64, 0.0F), tiny(12, 0.5F);
  EXPECT_LT(find_field_of_view(FrameView(black, 64, 64)).share(), 0.5);
  EXPECT_EQ(find_field_of_view(FrameView(tiny, 4, 3)).shape, Shape::kWhole);
  EXPECT_THROW(FrameView(tiny, 4, 4), Error);
  EXPECT_THROW(FrameView(tiny, 0, 3), Error);
}

TEST(PolarityTest, TellsDarkFromBrightObjects) {
  image::Frame frame = noisy_anatomy(160, 160);
  test::draw_wire(frame, 10, 10, 150, 120, 0.5, 1.5);
  EXPECT_FALSE(check_polarity(FrameView(frame)).bright_objects());
  for (float& v : frame.pixels) v = 1.0F - v;
  EXPECT_TRUE(check_polarity(FrameView(frame)).bright_objects());
}

TEST(OutsideFillTest, ContinuesTheFieldWithoutAnEdge) {
  constexpr int64_t kSide = 128;
  std::vector<uint8_t> field(kSide * kSide);
  std::vector<float> image(field.size());
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) {
      const auto i = static_cast<size_t>(y * kSide + x);
      field[i] = std::hypot(x - 64, y - 64) < 50 ? 1 : 0;
      image[i] = field[i] != 0 ? 0.4F + 0.002F * static_cast<float>(x) : 0.0F;
    }
  }
  const OutsideFill fill(field, kSide, kSide);
  const auto before = image;
  fill.fill(image);
  for (size_t i = 0; i < image.size(); ++i) {
    if (field[i] != 0) {
      EXPECT_EQ(image[i], before[i]);
    } else {
      EXPECT_GE(image[i], 0.4F);
      EXPECT_LE(image[i], 0.66F);
    }
  }
  fill.blank(image);
  EXPECT_EQ(image[0], 0.0F);
  EXPECT_EQ(image[64 * kSide + 64], before[64 * kSide + 64]);
}

TEST(OutsideFillTest, RepeatsTheEdgeOfARectangle) {
  const std::vector<uint8_t> field = {0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0};
  std::vector<float> image = {9, 9, 9, 9, 9, 2, 4, 9, 9, 9, 9, 9};
  OutsideFill(field, 4, 3).fill(image);
  EXPECT_EQ(image[4], 2.0F);
  EXPECT_EQ(image[7], 4.0F);
  EXPECT_EQ(image[1], 2.0F);
  EXPECT_EQ(image[10], 4.0F);
  EXPECT_GE(image[0], 2.0F);
  EXPECT_LE(image[0], 4.0F);
  EXPECT_THROW(OutsideFill(field, 5, 3), Error);
  // A field of nothing leaves a frame as it is.
  std::vector<float> same = {1, 2};
  OutsideFill(std::vector<uint8_t>{0, 0}, 2, 1).fill(same);
  EXPECT_EQ(same[1], 2.0F);
}

TEST(ConvexHullTest, HullAndCircleOfAnL) {
  const auto hull = convex_hull({{0, 0}, {4, 0}, {4, 1}, {1, 1}, {1, 4}, {0, 4}, {2, 0}, {0, 0}});
  EXPECT_EQ(hull.size(), 5u);
  EXPECT_NEAR(polygon_area(hull), 11.5, 1e-12);
  const Circle circle = smallest_circle(hull);
  EXPECT_NEAR(circle.radius, 2.0 * std::numbers::sqrt2, 1e-9);
  for (const HullPoint& p : hull) {
    EXPECT_LE(std::hypot(p.x - circle.x, p.y - circle.y), circle.radius + 1e-9);
  }
  EXPECT_EQ(smallest_circle({}).radius, 0.0);
}

}  // namespace
}  // namespace voxloom::filters
