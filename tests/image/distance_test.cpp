#include "voxloom/image/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::image {
namespace {

using Mask = std::vector<uint8_t>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<double> naive(const Mask& mask, const Index3& size, const Vec3& mm, bool inside) {
  std::vector<double> out(mask.size(), std::numeric_limits<double>::infinity());
  const auto at = [&](size_t i) {
    const auto n = static_cast<int64_t>(i);
    return Index3{n % size[0], n / size[0] % size[1], n / size[0] / size[1]};
  };
  for (size_t i = 0; i < mask.size(); ++i) {
    for (size_t j = 0; j < mask.size(); ++j) {
      if ((mask[j] != 0) != inside) continue;
      double d = 0;
      for (size_t k = 0; k < 3; ++k) {
        const double step = static_cast<double>(at(i)[k] - at(j)[k]) * mm[k];
        d += step * step;
      }
      out[i] = std::min(out[i], d);
    }
  }
  return out;
}

struct Case {
  Index3 size;
  Vec3 spacing;
  double density;
};

class DistancePropertyTest : public testing::TestWithParam<Case> {};

TEST_P(DistancePropertyTest, EqualsTheNearestOfAllVoxels) {
  const auto& [size, spacing, density] = GetParam();
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Rng rng(seed);
    Mask mask(static_cast<size_t>(size[0] * size[1] * size[2]));
    for (auto& v : mask) v = rng.uniform() < density;
    const auto got = squared_distance_to(mask, size, spacing);
    const auto expected = naive(mask, size, spacing, true);
    const auto sdf = signed_distance(mask, size, spacing);
    const auto inside = naive(mask, size, spacing, false);
    for (size_t i = 0; i < got.size(); ++i) {
      if (std::isinf(expected[i])) {
        ASSERT_EQ(got[i], kInfinity);
        continue;
      }
      ASSERT_NEAR(got[i], expected[i], 1e-5 * (1 + expected[i])) << "voxel " << i;
      const double s = mask[i] != 0 ? -std::sqrt(inside[i]) : std::sqrt(expected[i]);
      if (std::isfinite(s)) {
        ASSERT_NEAR(sdf[i], s, 1e-5 * (1 + std::abs(s))) << "voxel " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes,
                         DistancePropertyTest,
                         testing::Values(Case{{11, 9, 7}, {1, 1, 1}, 0.02},
                                         Case{{11, 9, 7}, {0.7, 0.7, 5.0}, 0.02},
                                         Case{{21, 5, 6}, {1.3, 2.1, 0.4}, 0.1},
                                         Case{{33, 17, 1}, {1, 1, 1}, 0.01},
                                         Case{{1, 1, 40}, {1, 1, 2.5}, 0.1},
                                         Case{{40, 1, 1}, {0.5, 1, 1}, 0.1},
                                         Case{{9, 9, 9}, {1, 1, 1}, 0.7}));

TEST(DistanceTest, EmptyMaskIsInfinitelyFar) {
  const auto d = distance_to(Mask(24, 0), {4, 3, 2}, {1, 1, 1});
  EXPECT_TRUE(std::all_of(d.begin(), d.end(), [](float v) { return v == kInfinity; }));
}

TEST(DistanceTest, BadSpacingAndLengthAreErrors) {
  EXPECT_THROW(static_cast<void>(distance_to(Mask(8), {2, 2, 2}, {1, 0, 1})), Error);
  EXPECT_THROW(static_cast<void>(distance_to(Mask(7), {2, 2, 2}, {1, 1, 1})), Error);
}

}  // namespace
}  // namespace voxloom::image
