// Scores of a segmentation: the formulas, and what the geodesic front makes of clear, faint and
// blurred borders.
#include "voxloom/infer/scores.h"

#include <cmath>

#include <gtest/gtest.h>

#include "voxloom/infer/geodesic.h"
#include "voxloom/infer/merge.h"

#include "solids.h"

using namespace voxloom;         // NOLINT(*-using-namespace)
using namespace voxloom::infer;  // NOLINT(*-using-namespace)

namespace {

SegmentResult segment(const image::Volume& image, const ObjectPrompt& prompt, bool scores) {
  const auto session = make_geodesic_segmenter()->open(image::make_source(image));
  session->set_prompts({prompt});
  Progress quiet;
  SegmentOptions options;
  options.scores = scores;
  return session->run(options, quiet, CancelToken());
}

testing_solids::Solid ball(double contrast, double noise) {
  auto solid = testing_solids::make_solid(
      "ball",
      testing_solids::cube_of(40),
      [](double x, double y, double z) { return x * x + y * y + z * z < 100; },
      noise * 100.0 / contrast,
      5);
  solid.prompt.boxes = {{{10, 10, 10}, {29, 29, 29}}};
  return solid;
}

}  // namespace

TEST(VoxelScoresTest, EntropyIsOneBitInTheMiddleAndZeroAtBothEnds) {
  EXPECT_DOUBLE_EQ(voxel_entropy(0.5), 1.0);
  EXPECT_DOUBLE_EQ(voxel_entropy(0.0), 0.0);
  EXPECT_DOUBLE_EQ(voxel_entropy(1.0), 0.0);
  EXPECT_NEAR(voxel_entropy(0.25), 0.811278, 1e-6);
  EXPECT_DOUBLE_EQ(voxel_entropy(0.25), voxel_entropy(0.75));
}

TEST(VoxelScoresTest, HardnessIsTheFocalLossOfTheLikelierClass) {
  EXPECT_NEAR(voxel_hardness(0.5), 0.25 * std::log(2.0), 1e-12);
  EXPECT_NEAR(voxel_hardness(0.2), 0.04 * -std::log(0.8), 1e-12);
  EXPECT_DOUBLE_EQ(voxel_hardness(0.2), voxel_hardness(0.8));
  EXPECT_DOUBLE_EQ(voxel_hardness(1.0), 0.0);
  EXPECT_DOUBLE_EQ(voxel_hardness(0.0), 0.0);
}

TEST(ScoreSumsTest, AreMeansOverTheVoxelsAndAbsentWithoutAny) {
  ScoreSums sums;
  EXPECT_FALSE(sums.result());
  sums.add(0.5);
  sums.add(1.0);
  EXPECT_DOUBLE_EQ(sums.result()->entropy, 0.5);
  EXPECT_NEAR(sums.result()->hardness, 0.125 * std::log(2.0), 1e-12);
  EXPECT_FALSE(sums.result()->disagreement);
}

TEST(DilatedTest, GrowsByATenthAtLeastTwoAndStaysInside) {
  EXPECT_EQ(dilated(10, 14, 100), (std::array<int64_t, 2>{8, 16}));
  EXPECT_EQ(dilated(20, 69, 100), (std::array<int64_t, 2>{15, 74}));
  EXPECT_EQ(dilated(1, 98, 100), (std::array<int64_t, 2>{0, 99}));
}

TEST(DisagreementTest, IsOneMinusDiceOfTheMasks) {
  RunMask a({8, 3, 2}), b({8, 3, 2});
  EXPECT_FALSE(disagreement_of(a, b));
  a.set_runs(0, {{0, 1, 4}, {2, 0, 1}});
  EXPECT_DOUBLE_EQ(*disagreement_of(a, b), 1.0);
  b.set_runs(0, {{0, 0, 1}, {0, 3, 6}, {1, 0, 7}});
  // 3 voxels in both (x 1, 3 and 4 of row 0); 6 and 14 in each.
  EXPECT_DOUBLE_EQ(*disagreement_of(a, b), 1.0 - 6.0 / 20.0);
  EXPECT_DOUBLE_EQ(*disagreement_of(b, a), *disagreement_of(a, b));
  EXPECT_DOUBLE_EQ(*disagreement_of(a, a), 0.0);
}

TEST(GeodesicScoresTest, AreMadeOnRequestOnlyAndChangeNoVoxel) {
  const auto solid = ball(100, 5);
  const auto without = segment(solid.image, solid.prompt, false);
  const auto with = segment(solid.image, solid.prompt, true);
  EXPECT_TRUE(without.report.scores.empty());
  ASSERT_EQ(with.report.scores.size(), 1U);
  ASSERT_TRUE(with.report.scores[0]);
  EXPECT_FALSE(with.report.scores[0]->disagreement);
  EXPECT_TRUE(std::equal(without.labels.voxels().begin(),
                         without.labels.voxels().end(),
                         with.labels.voxels().begin()));
}

TEST(GeodesicScoresTest, AFaintBorderScoresHigherThanAClearOne) {
  const auto clear = ball(100, 5), faint = ball(100, 45);
  const auto low = segment(clear.image, clear.prompt, true).report.scores.at(0);
  const auto high = segment(faint.image, faint.prompt, true).report.scores.at(0);
  ASSERT_TRUE(low && high);
  EXPECT_GT(low->entropy, 0.0);
  EXPECT_LT(low->entropy, high->entropy);
  EXPECT_LT(low->hardness, high->hardness);
  EXPECT_LE(high->entropy, 1.0);
  EXPECT_LE(high->hardness, 0.25 * std::log(2.0));
}
