// The session on a small network with stand-in weights: what is computed again, what is kept, and
// that the answer does not depend on the road to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/infer_ml/slice_scores.h"

#include "ball.h"
#include "stand_in_network.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
using infer_ml::small_network;
using infer_ml::testing::ball;
using infer_ml::testing::box_prompt;
using infer_ml::testing::kDepth;
using infer_ml::testing::kHeight;
using infer_ml::testing::kWidth;

namespace {

class Sam2SessionTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { network_ = new std::shared_ptr(small_network()); }
  static void TearDownTestSuite() {
    delete network_;
    network_ = nullptr;
  }

  std::unique_ptr<infer::SegmentSession> open(int64_t cache_mb = 64) const {
    infer::RuntimeOptions runtime;
    runtime.feature_cache_mb = cache_mb;
    return infer_ml::make_sam2_segmenter(*network_, runtime)->open(ball());
  }
  static infer::SegmentResult run(infer::SegmentSession& session,
                                  const infer::SegmentOptions& options = {}) {
    Progress silent;
    return session.run(options, silent, CancelToken());
  }
  static std::vector<uint16_t> voxels(const infer::SegmentResult& result) {
    return {result.labels.voxels().begin(), result.labels.voxels().end()};
  }

  static std::shared_ptr<infer_ml::Sam2Network>* network_;
};

std::shared_ptr<infer_ml::Sam2Network>* Sam2SessionTest::network_ = nullptr;

}  // namespace

TEST_F(Sam2SessionTest, EncodesEverySliceOnceForBothDirections) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const auto result = run(*session);
  EXPECT_EQ(result.report.slices_encoded, kDepth);
  EXPECT_EQ(result.report.slices_tracked, kDepth + 1);  // the key slice belongs to both halves
  EXPECT_EQ(result.report.engine, "torch");
  EXPECT_EQ(result.report.precision, "f32");
}

TEST_F(Sam2SessionTest, AFurtherClickMakesNoEncoderCall) {
  const auto session = open();
  auto prompt = box_prompt();
  session->set_prompts({prompt});
  static_cast<void>(run(*session));
  prompt.points.push_back({{30, 40, 6}, false});
  session->set_prompts({prompt});
  const auto mask = session->preview_slice(0, 6, CancelToken());
  EXPECT_EQ(mask.size(), static_cast<size_t>(kWidth * kHeight));
  const auto second = run(*session);
  EXPECT_EQ(second.report.slices_encoded, 0);
  EXPECT_GT(second.report.slices_tracked, 0);
}

TEST_F(Sam2SessionTest, NothingIsComputedWhenNothingChanged) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const auto first = run(*session);
  const auto second = run(*session);
  EXPECT_EQ(second.report.slices_encoded, 0);
  EXPECT_EQ(second.report.slices_tracked, 0);
  EXPECT_EQ(voxels(first), voxels(second));
}

TEST_F(Sam2SessionTest, TheAnswerDependsOnThePromptsAloneNotOnTheirHistory) {
  const auto session = open();
  auto refined = box_prompt();
  refined.points.push_back({{30, 40, 6}, false});
  session->set_prompts({box_prompt()});
  const auto first = run(*session);
  session->set_prompts({refined});
  static_cast<void>(run(*session));
  session->set_prompts({box_prompt()});
  EXPECT_EQ(voxels(run(*session)), voxels(first));
}

TEST_F(Sam2SessionTest, ASpilledCacheGivesTheSameAnswer) {
  const auto roomy = open(64), tight = open(1);
  for (const auto* session : {&roomy, &tight}) (*session)->set_prompts({box_prompt()});
  EXPECT_EQ(voxels(run(*roomy)), voxels(run(*tight)));
}

TEST_F(Sam2SessionTest, AnObjectAddedLaterLeavesTheOtherAsItWas) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  static_cast<void>(run(*session));
  infer::ObjectPrompt second{.name = "second", .value = 2};
  second.points = {{{70, 80, 3}, true}};
  session->set_prompts({box_prompt(), second});
  const auto both = run(*session);
  EXPECT_EQ(both.report.slices_encoded, 0);
  EXPECT_EQ(both.report.slices_tracked, kDepth + 1);  // only the new object
}

TEST_F(Sam2SessionTest, PointsOnTwoSlicesBoundTheObjectAndBothPassesWalkTheRange) {
  const auto session = open();
  infer::ObjectPrompt prompt;
  prompt.points = {{{30, 40, 3}, true}, {{50, 60, 9}, true}};
  session->set_prompts({prompt});
  const auto result = run(*session, {.components = infer::Components::kAll});
  EXPECT_EQ(result.report.slices_tracked, 2 * 7);
  EXPECT_EQ(result.report.slices_encoded, 7);
  const auto labels = voxels(result);
  for (int64_t z = 0; z < kDepth; ++z) {
    if (z >= 3 && z <= 9) continue;
    for (int64_t i = 0; i < kWidth * kHeight; ++i) {
      ASSERT_EQ(labels[static_cast<size_t>(z * kWidth * kHeight + i)], 0) << "slice " << z;
    }
  }
}

TEST_F(Sam2SessionTest, ACancelledRunLeavesTheSessionUsable) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const CancelToken stop;
  stop.cancel();
  Progress silent;
  EXPECT_THROW(static_cast<void>(session->run({}, silent, stop)), Error);
  const auto fresh = open();
  fresh->set_prompts({box_prompt()});
  EXPECT_EQ(voxels(run(*session)), voxels(run(*fresh)));
}

TEST_F(Sam2SessionTest, PromptsOutsideTheVolumeAreNamed) {
  const auto session = open();
  infer::ObjectPrompt prompt;
  prompt.points = {{{200, 40, 3}, true}};
  EXPECT_THAT([&] { session->set_prompts({prompt}); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("200")));
  EXPECT_THROW(static_cast<void>(run(*session)), Error);
}

TEST_F(Sam2SessionTest, ScoresAreMadeOnRequestAndChangeNoVoxel) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const auto plain = run(*session);
  EXPECT_TRUE(plain.report.scores.empty());
  infer::SegmentOptions options;
  options.scores = true;
  const auto scored = run(*session, options);
  EXPECT_GT(scored.report.slices_tracked, 0) << "probabilities of the run before are gone";
  EXPECT_EQ(scored.report.slices_encoded, 0);
  EXPECT_EQ(voxels(scored), voxels(plain));
  ASSERT_EQ(scored.report.scores.size(), 1U);
  ASSERT_TRUE(scored.report.scores[0]);
  EXPECT_GT(scored.report.scores[0]->entropy, 0.0);
  EXPECT_LE(scored.report.scores[0]->entropy, 1.0);
  EXPECT_GT(scored.report.scores[0]->hardness, 0.0);
  EXPECT_LT(scored.report.scores[0]->hardness, 0.174);
  EXPECT_FALSE(scored.report.scores[0]->disagreement) << "one key slice: two halves";
  const auto again = run(*session, options);
  EXPECT_EQ(again.report.slices_tracked, 0);
  EXPECT_EQ(again.report.scores, scored.report.scores);
  EXPECT_TRUE(run(*session).report.scores.empty());
}

TEST_F(Sam2SessionTest, TwoPassesOverTheSameSlicesHaveADisagreement) {
  const auto session = open();
  infer::ObjectPrompt prompt;
  prompt.boxes = {{{25, 35, 3}, {55, 65, 3}}, {{25, 35, 8}, {55, 65, 8}}};
  session->set_prompts({prompt});
  infer::SegmentOptions options;
  options.scores = true;
  options.components = infer::Components::kAll;
  const auto result = run(*session, options);
  ASSERT_TRUE(result.report.scores.at(0));
  ASSERT_TRUE(result.report.scores[0]->disagreement);
  // What both found is 1, what one found is 2 ("uncertain").
  double both = 0, one = 0;
  for (const auto value : voxels(result)) (value == 1 ? both : one) += value == 0 ? 0 : 1;
  EXPECT_NEAR(*result.report.scores[0]->disagreement, 1.0 - 2 * both / (2 * both + one), 1e-12);
}

TEST(SliceScoresTest, AreMeansOverTheDilatedBoxOfTheMeanMask) {
  infer_ml::SliceScores scores;
  auto low = torch::full({1, 1, 16, 16}, -20.0F);
  low.index_put_({0, 0, torch::indexing::Slice(6, 10), torch::indexing::Slice(5, 9)}, 20.0F);
  scores.add(3, low, true);
  EXPECT_DOUBLE_EQ(scores.result()->entropy, 0.0);
  // The other pass is sure of nothing: 1/2 everywhere.
  scores.add(3, torch::zeros({1, 1, 16, 16}), true);
  const auto result = scores.result();
  ASSERT_TRUE(result);
  // p = 3/4 in the mask and 1/4 around it: everywhere the entropy of 1/4.
  EXPECT_NEAR(result->entropy, infer::voxel_entropy(0.25), 5e-3);
  EXPECT_NEAR(result->hardness, infer::voxel_hardness(0.25), 1e-3);
}

TEST(SliceScoresTest, NoMaskNoScore) {
  infer_ml::SliceScores scores;
  scores.add(0, torch::full({1, 1, 8, 8}, 5.0F), false);
  EXPECT_FALSE(scores.result());
}
