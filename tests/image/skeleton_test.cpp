#include "voxloom/image/skeleton.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/metrics/topology.h"

#include "../metrics/guidewire_golden.h"
#include "../metrics/random_masks.h"

namespace voxloom::image {
namespace {

using test::SmallMask;
constexpr Thinning kAll[] = {
    Thinning::kGuoHall, Thinning::kZhangSuen, Thinning::kLamLee, Thinning::kLee};

int64_t count(const std::vector<uint8_t>& mask) {
  return std::accumulate(mask.begin(), mask.end(), int64_t{0});
}

std::vector<uint8_t> thin(const SmallMask& m, Thinning thinning) {
  return skeletonize(m.pixels, m.width, m.height, thinning);
}

TEST(SkeletonTest, KeepsAsManyPixelsAsTheReferencePrograms) {
  const test::WireExample example;
  const auto& golden = example.golden.at("skeleton_variants");
  const std::pair<Thinning, const char*> cases[] = {{Thinning::kGuoHall, "guo_hall"},
                                                    {Thinning::kZhangSuen, "zhang_suen_classical"},
                                                    {Thinning::kLamLee, "skimage_thin"},
                                                    {Thinning::kLee, "skimage_lee"}};
  for (const auto& [thinning, name] : cases) {
    const auto& values = golden.at(name);
    EXPECT_EQ(count(skeletonize(example.predicted, 32, 32, thinning)),
              values.at("skel_pred_px").get<int64_t>())
        << name;
    EXPECT_EQ(count(skeletonize(example.truth, 32, 32, thinning)),
              values.at("skel_gt_px").get<int64_t>())
        << name;
  }
}

// Sub-passes over the whole image, neighbourhoods read one by one: the papers' own wording.
std::vector<uint8_t> naive(const SmallMask& m, Thinning thinning) {
  SmallMask image = m;
  for (bool changed = true; changed;) {
    changed = false;
    for (int pass = 0; pass < 2; ++pass) {
      SmallMask next = image;
      for (int64_t y = 0; y < m.height; ++y) {
        for (int64_t x = 0; x < m.width; ++x) {
          if (image.at(x, y) == 0) continue;
          const int p2 = image.at(x, y - 1), p3 = image.at(x + 1, y - 1), p4 = image.at(x + 1, y);
          const int p5 = image.at(x + 1, y + 1), p6 = image.at(x, y + 1);
          const int p7 = image.at(x - 1, y + 1), p8 = image.at(x - 1, y);
          const int p9 = image.at(x - 1, y - 1);
          bool gone = false;
          if (thinning == Thinning::kZhangSuen) {
            const int ring[] = {p2, p3, p4, p5, p6, p7, p8, p9, p2};
            int a = 0;
            for (int k = 0; k < 8; ++k) a += ring[k] == 0 && ring[k + 1] == 1;
            const int b = p2 + p3 + p4 + p5 + p6 + p7 + p8 + p9;
            const bool sides = pass == 0 ? p2 * p4 * p6 == 0 && p4 * p6 * p8 == 0
                                         : p2 * p4 * p8 == 0 && p2 * p6 * p8 == 0;
            gone = b >= 2 && b <= 6 && a == 1 && sides;
          } else {
            const int c = ((1 - p2) & (p3 | p4)) + ((1 - p4) & (p5 | p6)) + ((1 - p6) & (p7 | p8)) +
                          ((1 - p8) & (p9 | p2));
            const int n = std::min((p9 | p2) + (p3 | p4) + (p5 | p6) + (p7 | p8),
                                   (p2 | p3) + (p4 | p5) + (p6 | p7) + (p8 | p9));
            const bool first = (pass == 0) == (thinning == Thinning::kGuoHall);
            const int kept = first ? (p6 | p7 | (1 - p9)) & p8 : (p2 | p3 | (1 - p5)) & p4;
            gone = c == 1 && n >= 2 && n <= 3 && kept == 0;
          }
          if (!gone) continue;
          next.pixels[static_cast<size_t>(y * m.width + x)] = 0;
          changed = true;
        }
      }
      image = next;
    }
  }
  return image.pixels;
}

TEST(SkeletonTest, EqualsThePapersRulesAppliedToTheWholeImage) {
  Rng rng(3);
  for (int i = 0; i < 120; ++i) {
    const auto w = static_cast<int64_t>(1 + rng.below(24)),
               h = static_cast<int64_t>(1 + rng.below(24));
    const SmallMask m = i % 2 == 0 ? test::random_mask(rng, w, h) : test::random_wires(rng, w, h);
    for (const Thinning t : {Thinning::kGuoHall, Thinning::kZhangSuen, Thinning::kLamLee}) {
      ASSERT_EQ(thin(m, t), naive(m, t)) << "case " << i << ", " << thinning_name(t);
    }
  }
}

TEST(SkeletonTest, IsPartOfTheMaskAndItsOwnSkeleton) {
  Rng rng(4);
  for (int i = 0; i < 60; ++i) {
    const SmallMask m = test::random_wires(rng, 30, 25, 3);
    for (const Thinning t : kAll) {
      const auto once = thin(m, t);
      for (size_t k = 0; k < once.size(); ++k) ASSERT_LE(once[k], m.pixels[k]);
      ASSERT_EQ(skeletonize(once, 30, 25, t), once) << thinning_name(t);
    }
  }
}

TEST(SkeletonTest, KeepsComponentsAndHoles) {
  Rng rng(5);
  for (int i = 0; i < 80; ++i) {
    const SmallMask m =
        i % 2 == 0 ? test::random_wires(rng, 30, 25, 3) : test::random_mask(rng, 12, 12);
    // Zhang-Suen is left out: it erases 2x2 squares and two pixels wide diagonals.
    for (const Thinning t : {Thinning::kGuoHall, Thinning::kLamLee, Thinning::kLee}) {
      EXPECT_EQ(metrics::betti_numbers(thin(m, t), m.width, m.height),
                metrics::betti_numbers(m.pixels, m.width, m.height))
          << "case " << i << ", " << thinning_name(t);
    }
  }
}

// The defect that rules it out as a default (and that published clDice numbers may carry).
TEST(SkeletonTest, ZhangSuenAloneErasesTwoPixelsWideDiagonals) {
  SmallMask m{32, 32, std::vector<uint8_t>(32 * 32, 0)};
  for (int64_t k = 4; k < 28; ++k) {
    m.pixels[static_cast<size_t>(k * 32 + k)] = m.pixels[static_cast<size_t>(k * 32 + k + 1)] = 1;
  }
  ASSERT_EQ(count(m.pixels), 48);
  EXPECT_EQ(count(thin(m, Thinning::kZhangSuen)), 2);
  EXPECT_EQ(count(thin(m, Thinning::kGuoHall)), 25);
  EXPECT_EQ(count(thin(m, Thinning::kLamLee)), 25);
  EXPECT_EQ(count(thin(m, Thinning::kLee)), 23);
}

TEST(SkeletonTest, WideBlocksAndEmptyAndFullImagesEnd) {
  for (const Thinning t : kAll) {
    EXPECT_EQ(count(skeletonize(std::vector<uint8_t>(64, 0), 8, 8, t)), 0);
    const auto full = skeletonize(std::vector<uint8_t>(200 * 160, 7), 200, 160, t);
    EXPECT_GE(count(full), 1) << thinning_name(t);
    EXPECT_LE(count(full), 400) << thinning_name(t);
    EXPECT_EQ(count(skeletonize(std::vector<uint8_t>{1}, 1, 1, t)), 1) << thinning_name(t);
  }
}

TEST(SkeletonTest, NamesGoBothWaysAndOthersAreRefused) {
  for (const Thinning t : kAll) EXPECT_EQ(parse_thinning(thinning_name(t)), t);
  try {
    static_cast<void>(parse_thinning("zhang"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "thinning: must be guo_hall, zhang_suen, lam_lee or lee, got 'zhang'");
  }
  EXPECT_THROW(static_cast<void>(skeletonize(std::vector<uint8_t>(5), 2, 3)), Error);
}

}  // namespace
}  // namespace voxloom::image
