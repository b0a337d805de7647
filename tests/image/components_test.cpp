#include "voxloom/image/components.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"

namespace voxloom::image {
namespace {

using Mask = std::vector<uint8_t>;

Mask random_mask(const Index3& size, double density, uint64_t seed) {
  Rng rng(seed);
  Mask mask(static_cast<size_t>(size[0] * size[1] * size[2]));
  for (auto& v : mask) v = rng.uniform() < density ? static_cast<uint8_t>(1 + rng.below(255)) : 0;
  return mask;
}

// Flood fill from each unseen voxel in memory order: the definition, slowly.
std::vector<int32_t> naive_labels(const Mask& mask, const Index3& size, Connectivity connectivity) {
  const int reach = connectivity == Connectivity::kFaces   ? 1
                    : connectivity == Connectivity::kEdges ? 2
                                                           : 3;
  std::vector<int32_t> labels(mask.size(), 0);
  int32_t count = 0;
  for (size_t seed = 0; seed < mask.size(); ++seed) {
    if (mask[seed] == 0 || labels[seed] != 0) continue;
    std::vector<int64_t> stack{static_cast<int64_t>(seed)};
    labels[seed] = ++count;
    while (!stack.empty()) {
      const int64_t i = stack.back();
      stack.pop_back();
      const int64_t x = i % size[0], y = i / size[0] % size[1], z = i / size[0] / size[1];
      for (int64_t n = 0; n < 27; ++n) {
        const int64_t dx = n % 3 - 1, dy = n / 3 % 3 - 1, dz = n / 9 - 1;
        if (std::abs(dx) + std::abs(dy) + std::abs(dz) > reach) continue;
        const int64_t px = x + dx, py = y + dy, pz = z + dz;
        if (px < 0 || py < 0 || pz < 0 || px >= size[0] || py >= size[1] || pz >= size[2]) continue;
        const auto j = static_cast<size_t>((pz * size[1] + py) * size[0] + px);
        if (mask[j] == 0 || labels[j] != 0) continue;
        labels[j] = count;
        stack.push_back(static_cast<int64_t>(j));
      }
    }
  }
  return labels;
}

struct Case {
  Index3 size;
  double density;
  Connectivity connectivity;
};

class ComponentsPropertyTest : public testing::TestWithParam<Case> {};

TEST_P(ComponentsPropertyTest, EqualsFloodFill) {
  const auto& [size, density, connectivity] = GetParam();
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Mask mask = random_mask(size, density, seed);
    const auto map = label_components(mask, size, connectivity);
    const auto expected = naive_labels(mask, size, connectivity);
    ASSERT_EQ(map.to_labels(), expected) << "seed " << seed;
    for (size_t c = 0; c < map.components.size(); ++c) {
      const auto label = static_cast<int32_t>(c) + 1;
      EXPECT_EQ(map.components[c].size, std::count(expected.begin(), expected.end(), label));
      EXPECT_EQ(map.components[c].first_voxel,
                std::find(expected.begin(), expected.end(), label) - expected.begin());
      Index3 lo = size, hi{-1, -1, -1};
      for (size_t i = 0; i < expected.size(); ++i) {
        if (expected[i] != label) continue;
        const auto n = static_cast<int64_t>(i);
        const Index3 at{n % size[0], n / size[0] % size[1], n / size[0] / size[1]};
        for (size_t k = 0; k < 3; ++k) {
          lo[k] = std::min(lo[k], at[k]);
          hi[k] = std::max(hi[k], at[k]);
        }
      }
      EXPECT_EQ(map.components[c].box_min, lo);
      EXPECT_EQ(map.components[c].box_max, hi);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes,
                         ComponentsPropertyTest,
                         testing::Values(Case{{13, 9, 7}, 0.15, Connectivity::kFaces},
                                         Case{{13, 9, 7}, 0.35, Connectivity::kFaces},
                                         Case{{13, 9, 7}, 0.15, Connectivity::kEdges},
                                         Case{{13, 9, 7}, 0.1, Connectivity::kCorners},
                                         Case{{13, 9, 7}, 0.6, Connectivity::kCorners},
                                         Case{{17, 19, 1}, 0.4, Connectivity::kFaces},
                                         Case{{17, 19, 1}, 0.4, Connectivity::kCorners},
                                         Case{{1, 1, 31}, 0.5, Connectivity::kFaces},
                                         Case{{64, 3, 2}, 0.5, Connectivity::kFaces},
                                         Case{{1, 23, 5}, 0.5, Connectivity::kEdges}));

TEST(ComponentsTest, DiagonalPixelsTouchOnlyAtCorners) {
  const Mask mask{1, 0, 0, 1};
  EXPECT_EQ(label_components(mask, {2, 2, 1}, Connectivity::kFaces).components.size(), 2U);
  EXPECT_EQ(label_components(mask, {2, 2, 1}, Connectivity::kCorners).components.size(), 1U);
  const Mask cube{1, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(label_components(cube, {2, 2, 2}, Connectivity::kEdges).components.size(), 2U);
  EXPECT_EQ(label_components(cube, {2, 2, 2}, Connectivity::kCorners).components.size(), 1U);
}

TEST(ComponentsTest, OfEqualComponentsTheFirstStays) {
  Mask mask{0, 1, 1, 0, 1, 1, 0, 1};
  EXPECT_EQ(keep_largest(mask, {8, 1, 1}), 3);
  EXPECT_EQ(mask, (Mask{0, 1, 1, 0, 0, 0, 0, 0}));
}

TEST(ComponentsTest, EmptyMaskHasNoLargest) {
  Mask mask(27, 0);
  EXPECT_EQ(keep_largest(mask, {3, 3, 3}), 0);
  EXPECT_EQ(label_components(mask, {3, 3, 3}).largest(), -1);
}

TEST(ComponentsTest, KeepLargestOfOneValueLeavesTheOthersAlone) {
  std::vector<uint16_t> labels{5, 0, 300, 300, 0, 300, 5, 5};
  EXPECT_EQ(keep_largest(labels, 300, {8, 1, 1}), 2);
  EXPECT_EQ(labels, (std::vector<uint16_t>{5, 0, 300, 300, 0, 0, 5, 5}));
}

TEST(ComponentsTest, RemoveSmallKeepsComponentsOfTheLimit) {
  Mask mask{1, 0, 1, 1, 0, 1, 1, 1};
  EXPECT_EQ(remove_small(mask, {8, 1, 1}, 2), 1);
  EXPECT_EQ(mask, (Mask{0, 0, 1, 1, 0, 1, 1, 1}));
}

TEST(ComponentsTest, WrongLengthIsAnError) {
  Mask mask(5, 0);
  EXPECT_THROW(static_cast<void>(label_components(mask, {2, 2, 1})), Error);
  EXPECT_THROW(static_cast<void>(label_components(Mask{}, {0, 2, 1})), Error);
}

}  // namespace
}  // namespace voxloom::image
