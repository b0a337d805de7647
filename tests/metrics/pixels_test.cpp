#include "voxloom/metrics/pixels.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

#include "guidewire_golden.h"
#include "random_masks.h"

namespace voxloom::metrics {
namespace {

using Mask = std::vector<uint8_t>;

TEST(PixelsTest, EqualsTheGoldenExample) {
  const test::WireExample example;
  const auto& hard = example.golden.at("hard");
  const PixelCounts counts = count_pixels(example.truth, example.predicted);
  EXPECT_EQ(counts.overlap.truth(), hard.at("n_gt").get<int64_t>());
  EXPECT_EQ(counts.overlap.predicted(), hard.at("n_pred").get<int64_t>());
  EXPECT_EQ(counts.pixels(), 32 * 32);
  EXPECT_DOUBLE_EQ(counts.dice(), hard.at("dice").get<double>());
  EXPECT_DOUBLE_EQ(counts.iou(), hard.at("iou").get<double>());
  EXPECT_DOUBLE_EQ(counts.precision(), hard.at("precision").get<double>());
  EXPECT_DOUBLE_EQ(counts.recall(), hard.at("recall").get<double>());
}

TEST(PixelsTest, CountsEachKindAndLeavesIgnoredPixelsOut) {
  const Mask truth{1, 1, 0, 0, 1, 0, 9, 0}, predicted{1, 0, 1, 0, 1, 1, 0, 0};
  const Mask ignore{0, 0, 0, 0, 0, 0, 1, 255};
  const PixelCounts c = count_pixels(truth, predicted, ignore);
  EXPECT_EQ(c.overlap.both, 2);
  EXPECT_EQ(c.overlap.truth_only, 1);
  EXPECT_EQ(c.overlap.predicted_only, 2);
  EXPECT_EQ(c.background, 1);
  EXPECT_EQ(c.ignored, 2);
  EXPECT_DOUBLE_EQ(c.specificity(), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(c.accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(c.mcc(), (2.0 * 1 - 2 * 1) / std::sqrt(4.0 * 3 * 3 * 2));
}

// Matthews' coefficient is the Pearson correlation of the two masks.
TEST(PixelsTest, MccIsTheCorrelationOfTheMasks) {
  Rng rng(1);
  for (int i = 0; i < 50; ++i) {
    const auto a = test::random_mask(rng, 9, 7), b = test::random_mask(rng, 9, 7);
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < 63; ++k) ma += a.pixels[k] / 63.0, mb += b.pixels[k] / 63.0;
    for (size_t k = 0; k < 63; ++k) {
      ab += (a.pixels[k] - ma) * (b.pixels[k] - mb);
      aa += (a.pixels[k] - ma) * (a.pixels[k] - ma);
      bb += (b.pixels[k] - mb) * (b.pixels[k] - mb);
    }
    const double got = count_pixels(a.pixels, b.pixels).mcc();
    if (aa < 1e-9 || bb < 1e-9) continue;
    EXPECT_NEAR(got, ab / std::sqrt(aa * bb), 1e-12);
  }
}

TEST(PixelsTest, EmptyMasksFollowTheStatedRules) {
  const Mask empty(6, 0), full(6, 1), some{1, 0, 0, 0, 0, 0};
  const PixelCounts none = count_pixels(empty, empty);
  for (const double v : {none.dice(),
                         none.iou(),
                         none.precision(),
                         none.recall(),
                         none.specificity(),
                         none.accuracy(),
                         none.mcc()}) {
    EXPECT_EQ(v, 1.0);
  }
  const PixelCounts false_alarm = count_pixels(empty, some);
  EXPECT_EQ(false_alarm.dice(), 0.0);
  EXPECT_EQ(false_alarm.mcc(), 0.0);
  EXPECT_DOUBLE_EQ(false_alarm.specificity(), 5.0 / 6.0);
  EXPECT_EQ(count_pixels(full, full).specificity(), 1.0);
  EXPECT_EQ(count_pixels(full, full).mcc(), 1.0);
  EXPECT_EQ(count_pixels(full, full, full).accuracy(), 1.0) << "everything ignored";
}

TEST(PixelsTest, SumsArePooledAndDiceFollowsFromIou) {
  Rng rng(2);
  PixelCounts all;
  Mask truth, predicted;
  for (int i = 0; i < 5; ++i) {
    const auto a = test::random_mask(rng, 8, 8), b = test::random_mask(rng, 8, 8);
    all += count_pixels(a.pixels, b.pixels);
    truth.insert(truth.end(), a.pixels.begin(), a.pixels.end());
    predicted.insert(predicted.end(), b.pixels.begin(), b.pixels.end());
  }
  EXPECT_EQ(all, count_pixels(truth, predicted));
  EXPECT_NEAR(all.dice(), 2 * all.iou() / (1 + all.iou()), 1e-15);
}

TEST(PixelsTest, ThresholdTakesItsOwnValueAndNoNan) {
  const std::vector<float> p{0.49F, 0.5F, 1.0F, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(threshold_mask(p), (Mask{0, 1, 1, 0}));
  EXPECT_EQ(threshold_mask(p, 0.25), (Mask{1, 1, 1, 0}));
}

TEST(PixelsTest, DifferentLengthsAreAnError) {
  EXPECT_THROW(static_cast<void>(count_pixels(Mask(3), Mask(4))), Error);
  EXPECT_THROW(static_cast<void>(count_pixels(Mask(3), Mask(3), Mask(2))), Error);
}

}  // namespace
}  // namespace voxloom::metrics
