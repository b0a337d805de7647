#include "voxloom/data/warp.h"

#include <algorithm>
#include <numbers>

#include <gtest/gtest.h>

#include "voxloom/data/augment.h"
#include "voxloom/image/components.h"

#include "data_fixtures.h"

namespace voxloom::data {
namespace {

using testing::line_picture;
using testing::Picture;

/// Mean of the image where the mask is an object, and where it is background.
std::array<double, 2> means(const Example& e) {
  std::array<double, 2> sum{}, count{};
  for (size_t i = 0; i < e.mask.size(); ++i) {
    if (e.mask[i] == 255) continue;
    const size_t k = e.mask[i] != 0 ? 0 : 1;
    sum[k] += e.image.pixels[i];
    count[k] += 1.0;
  }
  return {sum[0] / std::max(1.0, count[0]), sum[1] / std::max(1.0, count[1])};
}

TEST(WarpTest, WholePixelMapsCopyAndFlip) {
  const Picture p = line_picture(20, 14, 3);
  Warp how{5, 4, {-1, 0, 11, 0, 1, 2, 0, 0, 1}, {}};
  const Example got = warp(p.view(), how);
  for (int64_t y = 0; y < 4; ++y) {
    for (int64_t x = 0; x < 5; ++x) {
      const auto at = static_cast<size_t>((y + 2) * 20 + 11 - x);
      EXPECT_FLOAT_EQ(got.image.at(x, y), static_cast<float>(p.image[at]) / 255.0F);
      EXPECT_EQ(got.mask[static_cast<size_t>(y * 5 + x)], p.mask[at]);
    }
  }
}

TEST(WarpTest, TheInterpolatingPathGivesTheSamePixelsAtWholePositions) {
  const Picture p = line_picture(33, 21, 5);
  Warp copy{21, 33, {0, 0, 0, 0, 0, 0, 0, 0, 1}, {}};
  // A quarter turn is a map of whole pixels that is not a move or a flip.
  copy.matrix = {0, 1, 0, 1, 0, 0, 0, 0, 1};
  const Example got = warp(p.view(), copy);
  for (int64_t y = 0; y < 33; ++y) {
    for (int64_t x = 0; x < 21; ++x) {
      const auto at = static_cast<size_t>(x * 33 + y);
      EXPECT_NEAR(got.image.at(x, y), static_cast<float>(p.image[at]) / 255.0F, 1e-6F);
      EXPECT_EQ(got.mask[static_cast<size_t>(y * 21 + x)], p.mask[at]);
    }
  }
}

TEST(WarpTest, OutsideIsTheMeanAndIgnored) {
  const Picture p = line_picture(8, 8, 1);
  for (const double fraction : {0.0, 0.25}) {
    Warp how{8, 8, {1, 0, -20 + fraction, 0, 1, 0, 0, 0, 1}, {}};
    const Example got = warp(p.view(), how);
    EXPECT_EQ(std::ranges::count(got.mask, 255), 64);
    EXPECT_FLOAT_EQ(got.image.at(3, 3), p.view().mean);
  }
}

/// For every geometric augmentation: the mask stays on the dark line.
TEST(WarpTest, LabelsFollowTheImage) {
  const Picture p = line_picture(160, 160, 7, 2.0);
  const double c = std::cos(0.6), s = std::sin(0.6);
  Rng rng(4);
  const Matrix3 middle{1, 0, 79.5, 0, 1, 79.5, 0, 0, 1}, back{1, 0, -79.5, 0, 1, -79.5, 0, 0, 1};
  struct Case {
    const char* name;
    Warp how;
  };
  std::vector<Case> cases;
  const auto add = [&](const char* name, const Matrix3& m) {
    cases.push_back({name, {160, 160, product(product(middle, m), back), {}}});
  };
  add("rotation", {c, -s, 0, s, c, 0, 0, 0, 1});
  add("shrink", {1.4, 0, 0, 0, 1.4, 0, 0, 0, 1});
  add("enlarge", {0.7, 0, 0, 0, 0.7, 0, 0, 0, 1});
  add("shear", {1, 0.17, 0, 0, 1, 0, 0, 0, 1});
  add("shift", {1, 0, 9.3, 0, 1, -7.7, 0, 0, 1});
  add("flip", {-1, 0, 0, 0, 1, 0, 0, 0, 1});
  cases.push_back({"perspective",
                   {160,
                    160,
                    product(quad_from_unit_square({5, -8, 150, 4, 165, 150, -9, 163}),
                            {1 / 159.0, 0, 0, 0, 1 / 159.0, 0, 0, 0, 1}),
                    {}}});
  Warp elastic{160, 160, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {}};
  elastic.elastic = random_elastic_grid(6, 5.0, 160, 160, rng);
  cases.push_back({"elastic", elastic});
  const auto before = means(warp(p.view(), {160, 160, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {}}));
  for (const auto& item : cases) {
    const Example got = warp(p.view(), item.how);
    const auto after = means(got);
    EXPECT_GT(std::ranges::count(got.mask, 1), 100) << item.name;
    EXPECT_NEAR(after[0], before[0], 0.07) << item.name;
    EXPECT_NEAR(after[1], before[1], 0.03) << item.name;
  }
}

/// A line of one pixel under every turn and scale stays one piece, and as long as the source has
/// it.
TEST(WarpTest, ThinLinesStayConnected) {
  Picture p = line_picture(200, 200, 1);
  for (size_t i = 0; i < p.mask.size(); ++i) p.mask[i] = i % 200 == 100 ? 1 : 0;
  for (const double scale : {0.7, 1.0, 1.2, 1.4}) {
    for (double angle = 0.0; angle < 3.2; angle += 0.17) {
      const double c = scale * std::cos(angle), s = scale * std::sin(angle);
      const Matrix3 m =
          product(product({1, 0, 100.37, 0, 1, 99.81, 0, 0, 1}, {c, -s, 0, s, c, 0, 0, 0, 1}),
                  {1, 0, -49.5, 0, 1, -49.5, 0, 0, 1});
      const Example got = warp(p.view(), {100, 100, m, {}});
      std::vector<uint8_t> mask = got.mask;
      for (auto& v : mask) v = v == 1 ? 1 : 0;
      const auto parts = image::label_components(mask, {100, 100, 1});
      EXPECT_EQ(parts.components.size(), 1U) << scale << " " << angle;
      EXPECT_GE(std::ranges::count(mask, 1), 65) << scale << " " << angle;
    }
  }
}

TEST(WarpTest, ElasticGridsHaveNoFolds) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    // Far more than the sets ask for.
    const ElasticGrid grid = random_elastic_grid(8, 60.0, 128, 128, rng);
    // The displaced position of each pixel is read off pictures of the coordinates.
    Picture ramp{128, 128, std::vector<uint8_t>(128 * 128), {}};
    for (size_t i = 0; i < ramp.image.size(); ++i) ramp.image[i] = static_cast<uint8_t>(i % 128);
    Warp how{128, 128, {0.5, 0, 32, 0, 0.5, 32, 0, 0, 1}, grid};
    const Example across = warp(ramp.view(), how);
    for (size_t i = 0; i < ramp.image.size(); ++i) ramp.image[i] = static_cast<uint8_t>(i / 128);
    const Example down = warp(ramp.view(), how);
    for (int64_t y = 0; y + 1 < 128; ++y) {
      for (int64_t x = 0; x + 1 < 128; ++x) {
        const double ax = across.image.at(x + 1, y) - across.image.at(x, y);
        const double ay = across.image.at(x, y + 1) - across.image.at(x, y);
        const double bx = down.image.at(x + 1, y) - down.image.at(x, y);
        const double by = down.image.at(x, y + 1) - down.image.at(x, y);
        ASSERT_GT(ax * by - ay * bx, -1e-6) << seed << " " << x << " " << y;
      }
    }
  }
}

TEST(WarpTest, QuadsMeetTheirCorners) {
  const std::array<double, 8> corners{3, 4, 90, -2, 101, 80, -5, 77};
  const Matrix3 m = quad_from_unit_square(corners);
  for (size_t i = 0; i < 4; ++i) {
    const double u = i == 1 || i == 2 ? 1 : 0, v = i >= 2 ? 1 : 0;
    const double w = m[6] * u + m[7] * v + m[8];
    EXPECT_NEAR((m[0] * u + m[1] * v + m[2]) / w, corners[2 * i], 1e-9);
    EXPECT_NEAR((m[3] * u + m[4] * v + m[5]) / w, corners[2 * i + 1], 1e-9);
  }
}

}  // namespace
}  // namespace voxloom::data
