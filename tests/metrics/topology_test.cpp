#include "voxloom/metrics/topology.h"

#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/image/skeleton.h"

#include "guidewire_golden.h"
#include "random_masks.h"

namespace voxloom::metrics {
namespace {

using test::SmallMask;

// Flood fill; returns the number of pieces of pixels with `value`, over sides or over corners too.
int64_t pieces(const SmallMask& m, uint8_t value, bool corners) {
  std::vector<uint8_t> seen(m.pixels.size(), 0);
  int64_t n = 0;
  for (int64_t start = 0; start < m.width * m.height; ++start) {
    if (seen[static_cast<size_t>(start)] != 0 || m.pixels[static_cast<size_t>(start)] != value)
      continue;
    ++n;
    std::vector<int64_t> stack{start};
    seen[static_cast<size_t>(start)] = 1;
    while (!stack.empty()) {
      const int64_t i = stack.back();
      stack.pop_back();
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          if (!corners && dx != 0 && dy != 0) continue;
          const int64_t x = i % m.width + dx, y = i / m.width + dy;
          if (x < 0 || y < 0 || x >= m.width || y >= m.height) continue;
          const auto j = static_cast<size_t>(y * m.width + x);
          if (seen[j] != 0 || m.pixels[j] != value) continue;
          seen[j] = 1;
          stack.push_back(static_cast<int64_t>(j));
        }
      }
    }
  }
  return n;
}

TEST(TopologyTest, EqualsTheGoldenExample) {
  const test::WireExample example;
  const auto& hard = example.golden.at("hard");
  const Betti truth = betti_numbers(example.truth, 32, 32);
  const Betti predicted = betti_numbers(example.predicted, 32, 32);
  EXPECT_EQ(truth, (Betti{hard.at("b0_gt_8conn").get<int64_t>(), 0}));
  EXPECT_EQ(predicted, (Betti{hard.at("b0_pred_8conn").get<int64_t>(), 0}));
  EXPECT_EQ(betti_error(truth, predicted), (BettiError{2, 0}));
}

TEST(TopologyTest, EqualsFloodFillOnSmallMasks) {
  Rng rng(1);
  for (int i = 0; i < 400; ++i) {
    const auto w = static_cast<int64_t>(1 + rng.below(14)),
               h = static_cast<int64_t>(1 + rng.below(14));
    const SmallMask m =
        i % 2 == 0 ? test::random_mask(rng, w, h) : test::random_wires(rng, w, h, 3);
    // Around the image there is ground: one piece more that is no hole.
    const SmallMask wide = test::moved(m, 1, 1, w + 2, h + 2);
    const Betti b = betti_numbers(m.pixels, w, h);
    ASSERT_EQ(b.components, pieces(m, 1, true));
    ASSERT_EQ(b.holes, pieces(wide, 0, false) - 1);
  }
}

TEST(TopologyTest, NumbersStayUnderFlipsTurnsAndMoves) {
  Rng rng(2);
  for (int i = 0; i < 40; ++i) {
    const SmallMask m = test::random_wires(rng, 20, 14, 3);
    const Betti base = betti_numbers(m.pixels, 20, 14);
    for (int symmetry = 1; symmetry < 8; ++symmetry) {
      const auto t = test::turned(m, symmetry);
      ASSERT_EQ(betti_numbers(t.pixels, t.width, t.height), base);
    }
    ASSERT_EQ(betti_numbers(test::moved(m, 3, 9, 30, 30).pixels, 30, 30), base);
  }
}

TEST(TopologyTest, BreaksAreUncoveredStretchesOfMoreThanTwoPixels) {
  constexpr int64_t kW = 40;
  std::vector<uint8_t> line(kW * 5, 0), predicted(kW * 5, 0);
  const auto set = [](std::vector<uint8_t>& m, int64_t x0, int64_t x1, int64_t y, uint8_t v) {
    for (int64_t x = x0; x <= x1; ++x) m[static_cast<size_t>(y * kW + x)] = v;
  };
  set(line, 0, 39, 2, 1);
  set(predicted, 0, 39, 1, 1);  // One row beside: touches.
  EXPECT_EQ(count_breaks(line, predicted, kW, 5), 0);
  set(predicted, 10, 13, 1, 0);  // Four pixels missing leave two uncovered.
  EXPECT_EQ(count_breaks(line, predicted, kW, 5), 0);
  set(predicted, 20, 24, 1, 0);  // Five leave three.
  EXPECT_EQ(count_breaks(line, predicted, kW, 5), 1);
  EXPECT_EQ(count_breaks(line, predicted, kW, 5, 1), 2);
  set(predicted, 30, 39, 1, 0);  // A missing end.
  EXPECT_EQ(count_breaks(line, predicted, kW, 5), 2);
  EXPECT_EQ(count_breaks(line, std::vector<uint8_t>(kW * 5, 0), kW, 5), 1);
  EXPECT_EQ(count_breaks(std::vector<uint8_t>(kW * 5, 0), predicted, kW, 5), 0);
}

TEST(TopologyTest, SpuriousComponentsAreLongAndTouchNoTruth) {
  constexpr int64_t kW = 40;
  std::vector<uint8_t> truth(kW * 12, 0), predicted(kW * 12, 0);
  const auto set = [](std::vector<uint8_t>& m, int64_t x0, int64_t x1, int64_t y) {
    for (int64_t x = x0; x <= x1; ++x) m[static_cast<size_t>(y * kW + x)] = 1;
  };
  const auto spurious = [&] {
    return count_spurious(truth, predicted, image::skeletonize(predicted, kW, 12), kW, 12);
  };
  set(truth, 0, 39, 1);
  set(predicted, 0, 39, 2);  // Beside the truth.
  EXPECT_EQ(spurious(), 0);
  set(predicted, 0, 9, 5);  // Ten pixels: ignored.
  EXPECT_EQ(spurious(), 0);
  set(predicted, 20, 30, 5);  // Eleven.
  EXPECT_EQ(spurious(), 1);
  set(predicted, 5, 30, 9);
  EXPECT_EQ(spurious(), 2);
}

TEST(TopologyTest, WrongLengthsAreErrors) {
  const std::vector<uint8_t> a(6, 1), b(5, 1);
  EXPECT_THROW(static_cast<void>(betti_numbers(b, 2, 3)), Error);
  EXPECT_THROW(static_cast<void>(count_breaks(a, b, 2, 3)), Error);
  EXPECT_THROW(static_cast<void>(count_spurious(a, a, b, 2, 3)), Error);
}

}  // namespace
}  // namespace voxloom::metrics
