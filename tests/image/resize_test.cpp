#include "voxloom/image/resize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::image {
namespace {

using Image = std::vector<uint8_t>;

Image random_image(int64_t n, uint64_t seed) {
  Rng rng(seed);
  Image image(static_cast<size_t>(n));
  for (auto& v : image) v = static_cast<uint8_t>(rng.below(256));
  return image;
}

// One axis by the formulas, pixel by pixel, without strips or tables.
Image naive_pass(const Image& in, int64_t n, int64_t m, int64_t lines, bool along_x) {
  Image out(static_cast<size_t>(m * lines));
  const auto cubic = [](double x) {
    x = std::abs(x);
    return x < 1   ? 1.5 * x * x * x - 2.5 * x * x + 1
           : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2
                   : 0.0;
  };
  const double scale = static_cast<double>(n) / static_cast<double>(m), f = std::max(1.0, scale);
  for (int64_t o = 0; o < m; ++o) {
    const double c = (static_cast<double>(o) + 0.5) * scale;
    const auto lo = std::max<int64_t>(0, static_cast<int64_t>(c - 2 * f + 0.5));
    const auto hi = std::min<int64_t>(n, static_cast<int64_t>(c + 2 * f + 0.5));
    std::vector<double> w;
    for (int64_t i = lo; i < hi; ++i) w.push_back(cubic((static_cast<double>(i) - c + 0.5) / f));
    const double sum = std::accumulate(w.begin(), w.end(), 0.0);
    for (int64_t line = 0; line < lines; ++line) {
      int64_t total = 1 << 21;
      for (int64_t i = lo; i < hi; ++i) {
        const auto k = static_cast<int64_t>(
            std::round(w[static_cast<size_t>(i - lo)] / sum * static_cast<double>(1 << 22)));
        total += k * in[static_cast<size_t>(along_x ? line * n + i : i * lines + line)];
      }
      out[static_cast<size_t>(along_x ? line * m + o : o * lines + line)] =
          static_cast<uint8_t>(std::clamp<int64_t>(total >> 22, 0, 255));
    }
  }
  return out;
}

TEST(PillowBicubicTest, EqualsTheFormulasForManySizes) {
  for (const auto& [w, h, w2, h2] : std::vector<std::array<int64_t, 4>>{{1, 1, 5, 3},
                                                                        {7, 5, 14, 9},
                                                                        {64, 48, 33, 70},
                                                                        {100, 37, 31, 11},
                                                                        {50, 70, 50, 35},
                                                                        {50, 70, 25, 70},
                                                                        {3, 200, 64, 2},
                                                                        {97, 41, 128, 128}}) {
    const Image in = random_image(w * h, static_cast<uint64_t>(w * 1000 + h));
    const Image wide = w == w2 ? in : naive_pass(in, w, w2, h, true);
    const Image expected = h == h2 ? wide : naive_pass(wide, h, h2, w2, false);
    EXPECT_EQ(resize_bicubic(in, w, h, w2, h2), expected)
        << w << "x" << h << " " << w2 << "x" << h2;
  }
}

TEST(PillowBicubicTest, SameSizeIsACopyAndFlatStaysFlat) {
  const Image in = random_image(12 * 9, 1);
  EXPECT_EQ(resize_bicubic(in, 12, 9, 12, 9), in);
  const Image flat(35, 255);
  const auto out = resize_bicubic(flat, 7, 5, 31, 3);
  EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](uint8_t v) { return v == 255; }));
}

TEST(PillowBicubicTest, BadSizesAreErrors) {
  EXPECT_THROW(PillowBicubic(0, 1, 1, 1), Error);
  EXPECT_THROW(PillowBicubic(1, 1, 1, 70000), Error);
  EXPECT_THROW(static_cast<void>(resize_bicubic(Image(5), 2, 3, 4, 4)), Error);
}

TEST(ResizeBilinearTest, PixelCentresAreAlignedAndTheBorderRepeats) {
  const std::vector<float> in{0, 4};
  EXPECT_THAT(resize_bilinear(in, 2, 1, 4, 1), testing::ElementsAre(0, 1, 3, 4));
  // No antialias: the outer pixels of a shrunk line do not count. With it they do.
  const std::vector<float> line{8, 0, 0, 0, 0, 0, 0, 8};
  EXPECT_THAT(resize_bilinear(line, 8, 1, 2, 1), testing::ElementsAre(0, 0));
  EXPECT_GT(resize_bilinear_antialias(line, 8, 1, 2, 1)[0], 0.5F);
}

TEST(ResizeBilinearTest, AntialiasKeepsTheMean) {
  Rng rng(9);
  std::vector<float> in(64 * 32);
  for (auto& v : in) v = static_cast<float>(rng.uniform());
  const auto out = resize_bilinear_antialias(in, 64, 32, 16, 8);
  const auto mean = [](const std::vector<float>& v) {
    return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
  };
  EXPECT_NEAR(mean(out), mean(in), 0.02);
}

TEST(ResizeNearestTest, TakesThePixelUnderTheCentre) {
  const std::vector<uint16_t> in{10, 20, 30};
  EXPECT_THAT(resize_nearest(in, 3, 1, 6, 1), testing::ElementsAre(10, 10, 20, 20, 30, 30));
  EXPECT_THAT(resize_nearest(in, 3, 1, 2, 1), testing::ElementsAre(10, 30));
  EXPECT_THAT(resize_nearest(in, 3, 1, 1, 1), testing::ElementsAre(20));
}

}  // namespace
}  // namespace voxloom::image
