#include "voxloom/metrics/detection.h"

#include <vector>

#include <gtest/gtest.h>

namespace voxloom::metrics {
namespace {

constexpr std::array<double, 4> kA{0, 0, 10, 10}, kB{50, 50, 60, 60}, kFar{90, 90, 95, 95};

TEST(DetectionScoresTest, EverythingFoundIsOne) {
  const std::vector<TrueBox> truth{{0, 0, kA}, {1, 0, kB}};
  const std::vector<FoundBox> found{{0, 0, kA, 0.9}, {1, 0, kB, 0.4}};
  const auto scores = detection_scores(found, truth);
  EXPECT_DOUBLE_EQ(scores.average_precision, 1.0);
  EXPECT_DOUBLE_EQ(scores.f1, 1.0);
  EXPECT_DOUBLE_EQ(scores.threshold, 0.4);
}

// Right, wrong, right of 3 true boxes: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3.
TEST(DetectionScoresTest, TheAreaIsBelowTheFallingCurve) {
  const std::vector<TrueBox> truth{{0, 0, kA}, {0, 0, kB}, {1, 0, kA}};
  const std::vector<FoundBox> found{{0, 0, kB, 0.7}, {0, 0, kA, 0.9}, {0, 0, kFar, 0.8}};
  const auto scores = detection_scores(found, truth);
  EXPECT_NEAR(scores.average_precision, 1.0 / 3.0 + 1.0 / 3.0 * 2.0 / 3.0, 1e-12);
  EXPECT_NEAR(scores.recall, 2.0 / 3.0, 1e-12);
  EXPECT_NEAR(scores.precision, 2.0 / 3.0, 1e-12);
  EXPECT_DOUBLE_EQ(scores.threshold, 0.7);
}

TEST(DetectionScoresTest, ASecondBoxOnTheSameObjectIsWrong) {
  const std::vector<TrueBox> truth{{0, 0, kA}};
  const std::vector<FoundBox> found{{0, 0, kA, 0.9}, {0, 0, {0, 0, 10, 9}, 0.8}};
  const auto scores = detection_scores(found, truth);
  EXPECT_DOUBLE_EQ(scores.average_precision, 1.0);
  EXPECT_DOUBLE_EQ(scores.threshold, 0.9);
  EXPECT_DOUBLE_EQ(scores.precision, 1.0);
}

TEST(DetectionScoresTest, ImageLabelAndOverlapMustFit) {
  const std::vector<TrueBox> truth{{0, 1, kA}};
  for (const FoundBox& box :
       {FoundBox{1, 1, kA, 0.9}, FoundBox{0, 0, kA, 0.9}, FoundBox{0, 1, {6, 0, 16, 10}, 0.9}}) {
    const auto scores = detection_scores(std::vector{box}, truth);
    EXPECT_EQ(scores.average_precision, 0.0);
    EXPECT_EQ(scores.best_recall, 0.0);
  }
  // 10 x 5 of 10 x 10: exactly one half counts.
  const FoundBox half{0, 1, {0, 0, 10, 5}, 0.9};
  EXPECT_DOUBLE_EQ(detection_scores(std::vector{half}, truth).recall, 1.0);
}

TEST(DetectionScoresTest, LabelsCountTheSame) {
  const std::vector<TrueBox> truth{{0, 0, kA}, {1, 0, kA}, {2, 0, kA}, {0, 1, kB}};
  const std::vector<FoundBox> found{{0, 1, kB, 0.5}};
  EXPECT_DOUBLE_EQ(detection_scores(found, truth).average_precision, 0.5);
  EXPECT_DOUBLE_EQ(detection_scores(found, truth).best_recall, 0.25);
}

TEST(DetectionScoresTest, WithoutTrueBoxesOnlyNothingIsRight) {
  EXPECT_DOUBLE_EQ(detection_scores({}, {}).average_precision, 1.0);
  const std::vector<FoundBox> found{{0, 0, kA, 0.9}};
  EXPECT_DOUBLE_EQ(detection_scores(found, {}).average_precision, 0.0);
  EXPECT_DOUBLE_EQ(detection_scores({}, std::vector<TrueBox>{{0, 0, kA}}).f1, 0.0);
}

}  // namespace
}  // namespace voxloom::metrics
