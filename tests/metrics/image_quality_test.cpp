#include "voxloom/metrics/image_quality.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::metrics {
namespace {

constexpr int64_t kW = 40, kH = 30;
using Image = std::vector<float>;
using Mask = std::vector<uint8_t>;

Mask dot(int64_t x, int64_t y) {
  Mask m(kW * kH, 0);
  m[static_cast<size_t>(y * kW + x)] = 1;
  return m;
}

TEST(RingContrastTest, UsesPixelsThreeToTenAwayWithoutExcludedOnes) {
  Rng rng(1);
  Image image(kW * kH);
  for (float& v : image) v = static_cast<float>(rng.uniform(0.4, 0.8));
  Mask exclude(kW * kH, 0);
  for (int64_t y = 0; y < kH; ++y) exclude[static_cast<size_t>(y * kW + 24)] = 1;
  double sum = 0, squares = 0;
  int64_t n = 0;
  for (int64_t y = 0; y < kH; ++y) {
    for (int64_t x = 0; x < kW; ++x) {
      const double d = std::hypot(static_cast<double>(x - 20), static_cast<double>(y - 15));
      if (d < 3.0 - 1e-9 || d > 10.0 + 1e-9 || x == 24) continue;
      const auto v = static_cast<double>(image[static_cast<size_t>(y * kW + x)]);
      sum += v;
      squares += v * v;
      ++n;
    }
  }
  const auto c = ring_contrast(image, kW, kH, dot(20, 15), exclude);
  ASSERT_TRUE(c.has_value());
  EXPECT_EQ(c->object_pixels, 1);
  EXPECT_EQ(c->background_pixels, n);
  const double mean = sum / static_cast<double>(n);
  EXPECT_NEAR(c->background_mean, mean, 1e-12);
  EXPECT_NEAR(c->background_std, std::sqrt(squares / static_cast<double>(n) - mean * mean), 1e-9);
  const auto object = static_cast<double>(image[15 * kW + 20]);
  EXPECT_NEAR(c->cnr().value(), std::abs(object - mean) / c->background_std, 1e-12);
  EXPECT_NEAR(c->michelson().value(), std::abs(object - mean) / (object + mean), 1e-12);
}

TEST(RingContrastTest, NothingToCompareIsAbsent) {
  const Image flat(kW * kH, 0.5F), black(kW * kH, 0.0F);
  EXPECT_FALSE(ring_contrast(flat, kW, kH, Mask(kW * kH, 0)).has_value());
  EXPECT_FALSE(ring_contrast(flat, kW, kH, Mask(kW * kH, 1)).has_value());
  const auto c = ring_contrast(flat, kW, kH, dot(5, 5));
  ASSERT_TRUE(c.has_value());
  EXPECT_FALSE(c->cnr().has_value());
  EXPECT_EQ(c->michelson().value(), 0.0);
  EXPECT_FALSE(ring_contrast(black, kW, kH, dot(5, 5))->michelson().has_value());
}

TEST(ContrastImprovementTest, IndexIsTheRatioOfContrasts) {
  Image before(kW * kH, 0.6F), after(kW * kH, 0.6F);
  before[15 * kW + 20] = 0.4F;  // Contrast 0.2.
  after[15 * kW + 20] = 0.2F;   // Contrast 0.5.
  EXPECT_NEAR(contrast_improvement_index(before, after, kW, kH, dot(20, 15)).value(), 2.5, 1e-6);
  EXPECT_NEAR(contrast_improvement_index(before, before, kW, kH, dot(20, 15)).value(), 1.0, 1e-12);
  const Image flat(kW * kH, 0.6F);
  EXPECT_FALSE(contrast_improvement_index(flat, after, kW, kH, dot(20, 15)).has_value());
}

TEST(ContrastImprovementTest, RatioComparesLocalContrasts) {
  Rng rng(2);
  Image before(9 * 8), after(9 * 8);
  for (float& v : before) v = static_cast<float>(rng.uniform(0.1, 1.0));
  for (float& v : after) v = static_cast<float>(rng.uniform(0.1, 1.0));
  const auto contrast = [](const Image& image, int64_t x, int64_t y) {
    double centre = 0, all = 0;
    for (int64_t v = y - 3; v <= y + 3; ++v) {
      for (int64_t u = x - 3; u <= x + 3; ++u) {
        const auto g = static_cast<double>(image[static_cast<size_t>(v * 9 + u)]);
        all += g;
        if (std::abs(v - y) <= 1 && std::abs(u - x) <= 1) centre += g;
      }
    }
    const double p = centre / 9, a = (all - centre) / 40;
    return std::abs(p - a) / (p + a);
  };
  double change = 0, whole = 0;
  for (int64_t y = 3; y < 5; ++y) {
    for (int64_t x = 3; x < 6; ++x) {
      const double w = contrast(before, x, y), v = contrast(after, x, y);
      change += (w - v) * (w - v);
      whole += w * w;
    }
  }
  EXPECT_NEAR(contrast_improvement_ratio(before, after, 9, 8).value(), change / whole, 1e-9);
  EXPECT_EQ(contrast_improvement_ratio(before, before, 9, 8).value(), 0.0);
  EXPECT_FALSE(contrast_improvement_ratio(before, after, 9, 8, Mask(72, 0)).has_value());
  EXPECT_FALSE(contrast_improvement_ratio(Image(25), Image(25), 5, 5).has_value());
}

TEST(EnhancementMeasureTest, AveragesTheRangesOfBlocks) {
  // 16x16, 8x8 blocks of 2x2: one block reaches from 0 to 255, one from 9 to 99.
  Image image(256, 0.5F);
  image[0] = 0.0F;
  image[1] = 1.0F;
  image[2] = 9.0F / 255;
  image[3] = 99.0F / 255;
  image[18] = image[19] = 50.0F / 255;
  const double want = (20 * std::log10(256.0) + 20 * std::log10(10.0)) / 64;
  EXPECT_NEAR(enhancement_measure(image, 16, 16), want, 1e-5);
  EXPECT_NEAR(enhancement_measure(image, 16, 16, 1), 20 * std::log10(256.0), 1e-9);
  EXPECT_EQ(enhancement_measure(Image(11 * 9, 0.3F), 11, 9), 0.0);
  EXPECT_THROW(static_cast<void>(enhancement_measure(Image(7 * 9), 7, 9)), Error);
}

TEST(EntropyTest, CountsBits) {
  Image image(256);
  for (size_t i = 0; i < 256; ++i) image[i] = static_cast<float>(i) / 255.0F;
  EXPECT_NEAR(grey_entropy(image), 8.0, 1e-12);
  EXPECT_EQ(grey_entropy(Image(10, 0.2F)), 0.0);
  EXPECT_NEAR(grey_entropy(Image{0, 0, 1, 1}), 1.0, 1e-12);
  EXPECT_NEAR(grey_entropy(Image{-3, 0, std::nanf(""), 7}), 0.8112781244591328, 1e-12);
  EXPECT_THROW(static_cast<void>(grey_entropy({})), Error);
}

TEST(NoiseTest, FindsTheNoiseOfARampWithALine) {
  Rng rng(3);
  constexpr int64_t kSide = 200;
  Image image(kSide * kSide);
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) {
      double v = 0.3 + 0.001 * static_cast<double>(x + 2 * y) + rng.normal(0.0, 0.02);
      if (x == y) v -= 0.3;
      image[static_cast<size_t>(y * kSide + x)] = static_cast<float>(v);
    }
  }
  // The line's answers lift the median a little.
  EXPECT_NEAR(noise_std(image, kSide, kSide), 0.02, 0.0015);
  EXPECT_EQ(noise_std(Image(9, 0.5F), 3, 3), 0.0);
  // An even number of answers: the mean of the middle two. Answers 4 and 8 of one bright pixel.
  Image spot(4 * 3, 0.0F);
  spot[5] = 1.0F;
  EXPECT_NEAR(noise_std(spot, 4, 3), 1.4826 * 3.0 / 6.0, 1e-12);
  EXPECT_THROW(static_cast<void>(noise_std(Image(4), 2, 2)), Error);
}

}  // namespace
}  // namespace voxloom::metrics
