#include "voxloom/data/augment.h"

#include <algorithm>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/data/artefacts.h"

#include "data_fixtures.h"

namespace voxloom::data {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::line_picture;
using testing::Picture;

Example example(int64_t side = 128, uint64_t seed = 2) {
  const Picture p = line_picture(side, side, seed, 2.0);
  Warp how;
  how.width = how.height = side;
  return warp(p.view(), how);
}

TEST(PlaneTest, BlurKeepsTheMeanAndSpreadsAPointAsAGaussian) {
  for (const double sigma : {0.7, 1.2, 3.0, 6.0, 12.0}) {
    Plane p{101, 101, std::vector<float>(101 * 101)};
    p.at(50, 50) = 1.0F;
    gaussian_blur(p, sigma);
    double sum = 0.0, square = 0.0;
    for (int64_t y = 0; y < 101; ++y) {
      for (int64_t x = 0; x < 101; ++x) {
        sum += p.at(x, y);
        square += p.at(x, y) * static_cast<double>((x - 50) * (x - 50));
      }
    }
    EXPECT_NEAR(sum, 1.0, 1e-4) << sigma;
    EXPECT_NEAR(std::sqrt(square), sigma, 0.06 * sigma) << sigma;
  }
}

TEST(PlaneTest, MotionBlurSpreadsAlongItsAngleAlone) {
  Plane p{41, 41, std::vector<float>(41 * 41)};
  p.at(20, 20) = 1.0F;
  motion_blur(p, 6.0, 0.0);
  double across = 0.0, total = 0.0;
  for (int64_t x = 0; x < 41; ++x) across += p.at(x, 20);
  for (const float v : p.pixels) total += v;
  EXPECT_NEAR(total, 1.0, 1e-5);
  EXPECT_NEAR(across, 1.0, 1e-5);
  EXPECT_LT(p.at(20, 20), 0.2F);
}

TEST(PlaneTest, GammaFollowsThePower) {
  Plane p{5, 1, {0.2F, 0.3F, 0.4F, 0.5F, 0.6F}};
  apply_gamma(p, 1.5, statistics(p));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(p.pixels[i], 0.2 + 0.4 * std::pow(static_cast<double>(i) / 4.0, 1.5), 1e-5);
  }
}

TEST(PlaneTest, CubicResizingKeepsAStraightRamp) {
  Plane in{10, 6, {}}, out{25, 15, std::vector<float>(25 * 15)};
  for (int64_t i = 0; i < 60; ++i) in.pixels.push_back(static_cast<float>(i % 10));
  resize_cubic(in, out);
  for (int64_t x = 5; x < 20; ++x) {
    EXPECT_NEAR(out.at(x, 7), (static_cast<double>(x) + 0.5) * 0.4 - 0.5, 1e-4);
  }
}

TEST(AugmentTest, SameSeedSameExample) {
  const Picture p = line_picture(200, 180, 3);
  for (const char* set : {"nnunet", "fluoroscopy"}) {
    const AugmentOptions options{.set = set};
    int different = 0;
    for (uint64_t seed = 0; seed < 30; ++seed) {
      const Window window{20, 10, 128, 128, true};
      Rng a(seed), b(seed), c(seed + 1000);
      const Example one = augment(p.view(), window, options, a);
      const Example two = augment(p.view(), window, options, b);
      const Example three = augment(p.view(), window, options, c);
      EXPECT_EQ(one.image.pixels, two.image.pixels);
      EXPECT_EQ(one.mask, two.mask);
      different += one.image.pixels != three.image.pixels ? 1 : 0;
      for (const float v : one.image.pixels) ASSERT_TRUE(v >= 0.0F && v <= 1.0F);
      for (const uint8_t m : one.mask) ASSERT_TRUE(m == 0 || m == 1 || m == 255);
    }
    EXPECT_GT(different, 20) << set;
  }
}

/// Over many draws of a whole set the object stays darker than its surroundings.
TEST(AugmentTest, LabelsFollowTheImageInBothSets) {
  const Picture p = line_picture(256, 256, 9, 2.5);
  for (const char* set : {"nnunet", "fluoroscopy"}) {
    int dark = 0, seen = 0;
    for (uint64_t seed = 0; seed < 120; ++seed) {
      Rng rng(seed);
      const Example e = augment(p.view(), {40, 40, 160, 160, true}, {.set = set}, rng);
      std::array<double, 2> sum{}, count{};
      for (size_t i = 0; i < e.mask.size(); ++i) {
        if (e.mask[i] == 255) continue;
        sum[e.mask[i]] += e.image.pixels[i];
        count[e.mask[i]] += 1.0;
      }
      if (count[1] < 50) continue;
      ++seen;
      dark += sum[1] / count[1] < sum[0] / count[0] - 0.05 ? 1 : 0;
    }
    EXPECT_GT(seen, 100) << set;
    // One in twenty is inverted on purpose in the fluoroscopy set.
    EXPECT_GT(dark, seen * 85 / 100) << set;
  }
}

/// A clip of one picture: its frames stay alike but for their noise and what disturbs time.
TEST(AugmentTest, FramesOfAClipShareEverythingButNoise) {
  const Picture p = line_picture(160, 160, 4, 2.0);
  const std::vector<SourceView> clip(3, p.view());
  const Window window{16, 16, 128, 128, true};
  int equal = 0, grainy = 0, unlike = 0;
  for (uint64_t seed = 0; seed < 120; ++seed) {
    Rng rng(seed), alone_rng(seed);
    const auto frames = augment_clip(clip, window, {.set = "nnunet"}, rng);
    ASSERT_EQ(frames.size(), 3U);
    // The first frame is what it would be without the others.
    EXPECT_EQ(frames[0].image.pixels,
              augment(p.view(), window, {.set = "nnunet"}, alone_rng).image.pixels);
    EXPECT_EQ(frames[1].mask, frames[0].mask);
    double difference = 0.0;
    for (size_t i = 0; i < frames[0].image.pixels.size(); ++i) {
      difference += std::abs(frames[0].image.pixels[i] - frames[1].image.pixels[i]);
    }
    difference /= static_cast<double>(frames[0].image.pixels.size());
    (difference == 0.0 ? equal : difference < 0.05 ? grainy : unlike) += 1;
  }
  EXPECT_GT(equal, 90);
  EXPECT_GT(grainy, 2);  // nnU-Net's noise comes once in ten.
  EXPECT_EQ(unlike, 0);
}

TEST(AugmentTest, FluoroscopyDisturbsTheTimeOfSomeClips) {
  const Picture p = line_picture(160, 160, 4, 2.0);
  const std::vector<SourceView> clip(3, p.view());
  int moved = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const auto frames = augment_clip(clip, {16, 16, 128, 128, true}, {.set = "fluoroscopy"}, rng);
    moved += frames[1].mask != frames[0].mask ? 1 : 0;
  }
  EXPECT_GT(moved, 3);  // A third of one in five are shifted; a collimator hides some.
  EXPECT_LT(moved, 40);
}

TEST(AugmentTest, StrengthZeroAndNoneChangeNothing) {
  const Picture p = line_picture(64, 64, 3);
  Rng plain_rng(1);
  const Window window{3, 4, 40, 40, true};
  const Example plain = augment(p.view(), window, {}, plain_rng);
  EXPECT_FLOAT_EQ(plain.image.at(5, 6), static_cast<float>(p.image[10 * 64 + 8]) / 255.0F);
  for (const char* set : {"nnunet", "fluoroscopy"}) {
    Rng rng(5);
    const Example e = augment(p.view(), window, {.set = set, .strength = 0.0}, rng);
    EXPECT_EQ(e.image.pixels, plain.image.pixels);
    EXPECT_EQ(e.mask, plain.mask);
  }
  Rng rng(5);
  EXPECT_THAT(error_of([&] { static_cast<void>(augment(p.view(), window, {.set = "wild"}, rng)); }),
              HasSubstr("augment: must be none, nnunet or fluoroscopy, got 'wild'"));
}

/// The share of examples that a set leaves as they are follows from its probabilities.
TEST(AugmentTest, ProbabilitiesAreThoseOfTheSet) {
  const Picture p = line_picture(32, 32, 3);
  const int draws = 4000;
  int still = 0, quiet = 0;
  for (int i = 0; i < draws; ++i) {
    Rng rng(static_cast<uint64_t>(i));
    const Warp how = nnunet_geometry({0, 0, 32, 32, true}, 1.0, rng);
    still += how.matrix == Matrix3{1, 0, 0, 0, 1, 0, 0, 0, 1} ? 1 : 0;
    Example e = example(16);
    const auto before = e.image.pixels;
    nnunet_intensity({&e, 1}, 1.0, rng);
    quiet += e.image.pixels == before ? 1 : 0;
  }
  const double expect_still = 0.8 * 0.8 * 0.5 * 0.5;
  const double expect_quiet = 0.9 * 0.9 * 0.85 * 0.85 * 0.875 * 0.9 * 0.7;
  EXPECT_NEAR(static_cast<double>(still) / draws, expect_still, 0.02);
  EXPECT_NEAR(static_cast<double>(quiet) / draws, expect_quiet, 0.025);
}

TEST(AugmentTest, WholeFramesTurnLittleAndCropsFreely) {
  double frame = 0.0, crop = 0.0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    for (const bool is_crop : {false, true}) {
      Rng rng(seed);
      const Warp how = fluoroscopy_geometry({0, 0, 100, 100, is_crop}, 1.0, rng);
      // Without shear the angle is that of the first column, flips aside.
      const double angle = std::abs(std::atan2(how.matrix[3], std::abs(how.matrix[0])));
      (is_crop ? crop : frame) = std::max(is_crop ? crop : frame, angle);
    }
  }
  EXPECT_LT(frame, 0.55);  // 15 degrees, 10 of shear and 6 % of perspective.
  EXPECT_GT(crop, 1.0);
}

TEST(ArtefactTest, GapsTakeTheObjectAwayAndLeaveTheLabel) {
  Example e = example();
  const Example before = e;
  Rng rng(3);
  erase_gaps(e, rng);
  EXPECT_EQ(e.mask, before.mask);
  int brighter = 0;
  for (size_t i = 0; i < e.mask.size(); ++i) {
    if (e.mask[i] == 0) {
      ASSERT_EQ(e.image.pixels[i], before.image.pixels[i]);
    } else {
      brighter += e.image.pixels[i] > before.image.pixels[i] + 0.2F ? 1 : 0;
    }
  }
  EXPECT_GT(brighter, 5);
}

TEST(ArtefactTest, CurvesAndLeadsOnlyDarken) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const bool curves : {true, false}) {
      Example e = example();
      const Plane before = e.image;
      Rng rng(seed);
      if (curves) {
        add_distractor_curves(e.image, rng);
      } else {
        add_leads_or_screws(e.image, rng);
      }
      for (size_t i = 0; i < before.pixels.size(); ++i) {
        ASSERT_LE(e.image.pixels[i], before.pixels[i]);
        ASSERT_GE(e.image.pixels[i], 0.0F);
      }
    }
  }
  Plane p{50, 50, std::vector<float>(2500, 1.0F)};
  darken_curve(p, {{{5, 25}, {15, 25}, {35, 25}, {45, 25}}}, 4.0, 0.3);
  EXPECT_NEAR(p.at(25, 25), 0.7F, 1e-5F);
  EXPECT_EQ(p.at(25, 30), 1.0F);
}

TEST(ArtefactTest, CollimatorDarkensTheBorderAndTextIsBlackOrWhite) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Example e{{100, 80, std::vector<float>(8000, 0.5F)}, std::vector<uint8_t>(8000, 0)};
    for (size_t i = 0; i < 8000; i += 2) e.mask[i] = 1;
    const Plane& p = e.image;
    Rng rng(seed);
    add_collimator(e, rng);
    EXPECT_EQ(p.at(50, 40), 0.5F);
    int dark = 0;
    for (size_t i = 0; i < 8000; ++i) {
      const bool open = p.pixels[i] == 0.5F;
      ASSERT_TRUE(open || p.pixels[i] <= 0.03F);
      // Hidden objects are ignored, hidden background stays background.
      ASSERT_EQ(e.mask[i], i % 2 == 1 ? 0 : open ? 1 : 255);
      dark += open ? 0 : 1;
    }
    EXPECT_GT(dark, 0);
    Plane q{100, 80, std::vector<float>(8000, 0.5F)};
    add_text(q, rng);
    for (const float v : q.pixels) ASSERT_TRUE(v == 0.0F || v == 0.5F || v == 1.0F);
  }
}

TEST(FluoroscopyTest, EveryAugmentationRunsAtFullStrength) {
  // Probabilities above 1 run each of them, on small and odd sizes too.
  for (const auto& [width, height] :
       {std::pair<int64_t, int64_t>{97, 61}, {16, 16}, {9, 5}, {1, 3}}) {
    const Picture p = line_picture(width, height, 4);
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Rng rng(seed);
      const Example e = augment(
          p.view(), {0, 0, width, height, false}, {.set = "fluoroscopy", .strength = 4.0}, rng);
      for (const float v : e.image.pixels) ASSERT_TRUE(v >= 0.0F && v <= 1.0F) << v;
    }
  }
}

}  // namespace
}  // namespace voxloom::data
