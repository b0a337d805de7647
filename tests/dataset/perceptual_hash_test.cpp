#include "voxloom/dataset/perceptual_hash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

using Pair = std::tuple<size_t, size_t, int>;

std::vector<Pair> found_pairs(const std::vector<uint64_t>& hashes, const std::vector<int>& groups) {
  std::vector<Pair> out;
  for_each_near_pair(
      hashes, groups, [&](size_t a, size_t b, int distance) { out.emplace_back(a, b, distance); });
  std::ranges::sort(out);
  return out;
}

std::vector<Pair> all_pairs(const std::vector<uint64_t>& hashes, const std::vector<int>& groups) {
  std::vector<Pair> out;
  for (size_t a = 0; a < hashes.size(); ++a) {
    for (size_t b = a + 1; b < hashes.size(); ++b) {
      const int distance = std::popcount(hashes[a] ^ hashes[b]);
      if (groups[a] != groups[b] && distance <= kNearDistance) out.emplace_back(a, b, distance);
    }
  }
  return out;
}

/// A smooth picture: waves of a few periods.
std::vector<float> waves(int64_t width, int64_t height, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(static_cast<size_t>(width * height));
  for (int wave = 0; wave < 6; ++wave) {
    const double fx = rng.uniform() * 30.0, fy = rng.uniform() * 30.0, phase = rng.uniform() * 6.28;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const double u = static_cast<double>(x) / static_cast<double>(width);
        const double v = static_cast<double>(y) / static_cast<double>(height);
        out[static_cast<size_t>(y * width + x)] +=
            static_cast<float>(std::sin(fx * u + fy * v + phase) / 14.0);
      }
    }
  }
  for (float& v : out) v += 0.5F;
  return out;
}

TEST(DifferenceHashTest, BitsSayWhereItGetsBrighterToTheRight) {
  // 9x8 pixels are the grid itself.
  std::vector<float> picture(72, 0.5F);
  EXPECT_EQ(difference_hash(picture, 9, 8), 0U);
  picture[1] = 0.6F;  // Row 0: brighter at column 1, darker again at column 2.
  EXPECT_EQ(difference_hash(picture, 9, 8), uint64_t{1} << 63);
  picture[71] = 0.6F;  // The last pair of the last row.
  EXPECT_EQ(difference_hash(picture, 9, 8), uint64_t{1} << 63 | 1U);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(i % 9) / 9.0F;
  EXPECT_EQ(difference_hash(picture, 9, 8), ~uint64_t{0});
}

TEST(DifferenceHashTest, CellsOfAnySizeAreMeans) {
  // 18x16 blocks of 2x2 with the mean of the 9x8 picture give its hash.
  const auto small = waves(9, 8, 3);
  std::vector<float> large(18 * 16);
  for (size_t y = 0; y < 16; ++y) {
    for (size_t x = 0; x < 18; ++x) {
      const float off = (x + y) % 2 == 0 ? 0.05F : -0.05F;
      large[y * 18 + x] = small[y / 2 * 9 + x / 2] + off;
    }
  }
  EXPECT_EQ(difference_hash(large, 18, 16), difference_hash(small, 9, 8));
  // A side below the grid's works too: every pixel covers several cells.
  EXPECT_EQ(difference_hash(std::vector<float>{0.2F, 0.8F}, 2, 1) & 0xFF, 0b00011000U);
}

TEST(DifferenceHashTest, SizeBrightnessAndNoiseHardlyMatterOtherPicturesDo) {
  const auto picture = waves(320, 240, 11);
  const uint64_t hash = difference_hash(picture, 320, 240);
  EXPECT_LE(std::popcount(hash ^ difference_hash(waves(200, 150, 11), 200, 150)), kNearDistance);
  auto noisy = picture;
  Rng rng(5);
  for (float& v : noisy) v = 0.8F * v + 0.05F + 0.03F * static_cast<float>(rng.uniform());
  EXPECT_LE(std::popcount(hash ^ difference_hash(noisy, 320, 240)), kNearDistance);
  EXPECT_GT(std::popcount(hash ^ difference_hash(waves(320, 240, 12), 320, 240)), 10);
}

TEST(DifferenceHashTest, SizesMustFit) {
  EXPECT_THAT(error_of([] { static_cast<void>(difference_hash(std::vector<float>(5), 2, 3)); }),
              HasSubstr("got 5 for 2x3"));
  EXPECT_THAT(error_of([] { static_cast<void>(difference_hash({}, 0, 0)); }), HasSubstr("0x0"));
}

TEST(NearPairsTest, AreThoseOfComparingEverything) {
  // Random hashes and others a few flipped bits away, so that every distance up to 8 is there.
  Rng rng(7);
  for (const int groups_count : {2, 3}) {
    std::vector<uint64_t> hashes;
    std::vector<int> groups;
    for (int i = 0; i < 1500; ++i) {
      uint64_t hash = rng.next();
      if (i > 50 && i % 3 != 0) {
        hash = hashes[static_cast<size_t>(rng.below(hashes.size()))];
        const auto flips = rng.below(9);
        for (uint64_t k = 0; k < flips; ++k) hash ^= uint64_t{1} << rng.below(64);
      }
      hashes.push_back(hash);
      groups.push_back(static_cast<int>(rng.below(static_cast<uint64_t>(groups_count))));
    }
    const auto want = all_pairs(hashes, groups);
    EXPECT_GT(want.size(), 300U);
    EXPECT_EQ(found_pairs(hashes, groups), want);
  }
}

TEST(NearPairsTest, EveryPlaceOfFourBitsIsFound) {
  // One bit in each of four bands leaves one band equal: the worst case, for each band.
  for (int spared = 0; spared < 5; ++spared) {
    uint64_t other = 0;
    for (int band = 0; band < 5; ++band) {
      if (band != spared) other |= uint64_t{1} << (13 * band + 11);
    }
    EXPECT_EQ(found_pairs({0, other}, {0, 1}), (std::vector<Pair>{{0, 1, 4}})) << spared;
  }
  EXPECT_TRUE(found_pairs({0, 0b11111}, {0, 1}).empty());
}

TEST(NearPairsTest, EqualHashesCountAcrossGroupsOnly) {
  EXPECT_EQ(found_pairs({9, 9, 9}, {0, 1, 0}), (std::vector<Pair>{{0, 1, 0}, {1, 2, 0}}));
  EXPECT_TRUE(found_pairs({9, 9, 9}, {2, 2, 2}).empty());
  EXPECT_TRUE(found_pairs({}, {}).empty());
}

}  // namespace
}  // namespace voxloom::dataset
