// The tracker on probability maps drawn here: what it does with gaps, crossings, noise and time.
#include "voxloom/infer/wire_tracker.h"

#include <cmath>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"
#include "voxloom/image/rle.h"
#include "voxloom/infer/wire_mask.h"
#include "voxloom/infer/wire_motion.h"
#include "voxloom/infer/wire_paths.h"
#include "voxloom/infer/wire_spline.h"

namespace voxloom::infer {
namespace {

constexpr int64_t kSize = 256;

/// A frame whose darkness is what the test's segmenter calls the probability.
image::Frame blank(int64_t number = 0) {
  return {.width = kSize,
          .height = kSize,
          .number = number,
          .time_s = static_cast<double>(number) / 15.0,
          .pixels = std::vector<float>(kSize * kSize, 1.0F)};
}

/// A soft line of the given width: 1 on the curve, falling off over a pixel.
void draw(image::Frame& frame,
          const std::vector<Point2>& curve,
          double width = 2.0,
          float dark = 0.95F) {
  for (int64_t y = 0; y < frame.height; ++y) {
    for (int64_t x = 0; x < frame.width; ++x) {
      double nearest = 1e9;
      for (const auto& p : curve) {
        nearest = std::min(
            nearest, std::hypot(p[0] - static_cast<double>(x), p[1] - static_cast<double>(y)));
      }
      const double cover = std::clamp(width / 2.0 + 0.5 - nearest, 0.0, 1.0);
      auto& pixel = frame.pixels[static_cast<size_t>(y * frame.width + x)];
      pixel = std::min(pixel, 1.0F - dark * static_cast<float>(cover));
    }
  }
}

std::vector<Point2> line(Point2 from, Point2 to) {
  std::vector<Point2> points;
  const double d = std::hypot(to[0] - from[0], to[1] - from[1]);
  for (double t = 0.0; t <= d; t += 0.5) {
    points.push_back({from[0] + t / d * (to[0] - from[0]), from[1] + t / d * (to[1] - from[1])});
  }
  return points;
}

/// Takes darkness for probability.
class DarknessSegmenter final : public WireSegmenter {
 public:
  const WireModelInfo& info() const override { return info_; }
  void segment(const image::Frame& frame, std::vector<float>& probability) override {
    probability.resize(frame.pixels.size());
    for (size_t i = 0; i < probability.size(); ++i) probability[i] = 1.0F - frame.pixels[i];
  }

 private:
  WireModelInfo info_{.name = "darkness"};
};

std::unique_ptr<WireTracker> tracker(const WireTrackOptions& options = {}) {
  return make_wire_tracker(std::make_unique<DarknessSegmenter>(), options);
}

double distance_to_curve(const Point2& p, const std::vector<Point2>& curve) {
  double nearest = 1e9;
  for (const auto& q : curve) nearest = std::min(nearest, std::hypot(p[0] - q[0], p[1] - q[1]));
  return nearest;
}

TEST(WireTrackerTest, FollowsACurveFromTheBorderToItsTip) {
  std::vector<Point2> curve;
  for (double t = 0.0; t <= 1.0; t += 0.002) {
    curve.push_back({180.0 * t, 128.0 + 50.0 * std::sin(3.0 * t)});
  }
  auto frame = blank();
  draw(frame, curve);
  const auto result = tracker()->step(frame);
  EXPECT_EQ(result.state, WireState::kTracking);
  ASSERT_TRUE(result.tip);
  EXPECT_NEAR(result.tip->position[0], curve.back()[0], 2.0);
  EXPECT_NEAR(result.tip->position[1], curve.back()[1], 2.0);
  EXPECT_GT(result.tip->direction[0], 0.5);
  EXPECT_GT(result.tip->confidence, 0.7);
  EXPECT_NEAR(result.length_px, path_length(curve), 6.0);
  for (const auto& p : result.centerline) EXPECT_LT(distance_to_curve(p, curve), 1.2);
  EXPECT_LT(result.centerline.front()[0], 4.0);
  EXPECT_NEAR(result.width_px, 2.5, 1.0);
  EXPECT_TRUE(result.gaps.empty());
}

TEST(WireTrackerTest, JoinsAGapAndMarksIt) {
  auto frame = blank();
  draw(frame, line({0, 100}, {90, 100}));
  draw(frame, line({104, 100}, {200, 100}));
  const auto result = tracker()->step(frame);
  EXPECT_EQ(result.components_after, 2);
  ASSERT_EQ(result.centerlines.size(), 1U);
  ASSERT_EQ(result.gaps.size(), 1U);
  EXPECT_NEAR(result.centerline[result.gaps[0].first][0], 90.0, 3.0);
  EXPECT_NEAR(result.centerline[result.gaps[0].last][0], 104.0, 3.0);
  EXPECT_NEAR(result.gaps[0].length_px, 14.0, 3.0);
  // What was bridged is not in the mask: a hidden gap must not look like evidence.
  EXPECT_EQ(result.mask[100 * kSize + 97], 0);
  EXPECT_EQ(result.mask[100 * kSize + 50], 1);
}

TEST(WireTrackerTest, DoesNotJoinAcrossALongGapOrASharpTurn) {
  auto apart = blank();
  draw(apart, line({0, 100}, {90, 100}));
  draw(apart, line({130, 100}, {220, 100}));
  EXPECT_EQ(tracker()->step(apart).centerlines.size(), 2U);
  auto turned = blank();
  draw(turned, line({0, 100}, {90, 100}));
  draw(turned, line({98, 110}, {98, 200}));
  EXPECT_EQ(tracker()->step(turned).centerlines.size(), 2U);
}

TEST(WireTrackerTest, GoesStraightOnAtACrossing) {
  auto frame = blank();
  draw(frame, line({10, 60}, {200, 150}));
  draw(frame, line({20, 150}, {190, 50}));
  const auto result = tracker()->step(frame);
  ASSERT_EQ(result.centerlines.size(), 2U);
  for (const auto& wire : result.centerlines) {
    const double slope = (wire.back()[1] - wire.front()[1]) / (wire.back()[0] - wire.front()[0]);
    EXPECT_GT(std::abs(wire.back()[0] - wire.front()[0]), 150.0);
    EXPECT_GT(std::abs(slope), 0.4);
  }
  EXPECT_TRUE(result.gaps.empty());
}

TEST(WireTrackerTest, DropsBlobsAndFaintOrShortPieces) {
  auto frame = blank();
  draw(frame, {{60.0, 60.0}}, 24.0);                      // a blob
  draw(frame, line({120, 30}, {126, 30}));                // short
  draw(frame, line({100, 200}, {200, 200}), 2.0, 0.35F);  // never above the high threshold
  const auto result = tracker()->step(frame);
  EXPECT_EQ(result.state, WireState::kLost);
  EXPECT_EQ(result.components_after, 0);
  EXPECT_THAT(result.reason, testing::HasSubstr("none like a wire"));
  EXPECT_THAT(result.mask, testing::Each(0));
}

TEST(WireTrackerTest, PredictsForAWhileThenSaysLost) {
  const auto follow = tracker({.predict_frames = 3});
  for (int64_t i = 0; i < 8; ++i) {
    auto frame = blank(i);
    draw(frame, line({0, 100}, {100.0 + 2.0 * static_cast<double>(i), 100}));
    ASSERT_EQ(follow->step(frame).state, WireState::kTracking);
  }
  for (int64_t i = 8; i < 11; ++i) {
    const auto result = follow->step(blank(i));
    EXPECT_EQ(result.state, WireState::kPredicted);
    EXPECT_THAT(result.reason, testing::HasSubstr("no pixel above"));
    ASSERT_TRUE(result.tip);
    EXPECT_NEAR(result.tip->position[0], 100.0 + 2.0 * static_cast<double>(i), 4.0);
    EXPECT_THAT(result.mask, testing::Each(0));  // A prediction is no evidence.
    EXPECT_TRUE(result.centerlines.empty());
  }
  EXPECT_EQ(follow->step(blank(11)).state, WireState::kLost);
}

TEST(WireTrackerTest, ResetForgetsTheStream) {
  const auto follow = tracker();
  auto frame = blank();
  draw(frame, line({0, 100}, {100, 100}));
  ASSERT_EQ(follow->step(frame).state, WireState::kTracking);
  follow->reset();
  EXPECT_EQ(follow->step(blank(1)).state, WireState::kLost);
}

TEST(WireTrackerTest, TheTipStaysTheTipWhenBothEndsAreFree) {
  const auto follow = tracker();
  auto first = blank();
  draw(first, line({0, 100}, {120, 100}));
  ASSERT_NEAR(follow->step(first).tip->position[0], 120.0, 2.0);
  // The base end is hidden now; the tip is still the one beside the last tip.
  auto second = blank(1);
  draw(second, line({40, 100}, {122, 100}));
  EXPECT_NEAR(follow->step(second).tip->position[0], 122.0, 2.0);
}

TEST(WireTrackerTest, JsonHoldsTheMaskAndWhatIsKnown) {
  auto frame = blank();
  frame.pixel_mm = 0.2;
  draw(frame, line({0, 100}, {100, 100}));
  const auto result = tracker()->step(frame);
  const auto json = wire_result_to_json(result);
  EXPECT_EQ(json["state"], "tracking");
  const auto rle = image::rle_from_string(json["rle"]["counts"].get<std::string>(), kSize, kSize);
  EXPECT_EQ(image::decode_rle(rle), result.mask);
  EXPECT_EQ(json["bbox"], nlohmann::ordered_json(result.box));
  EXPECT_NEAR(json["length_mm"].get<double>(), result.length_px * 0.2, 0.02);
  EXPECT_FALSE(json["poly"].empty());
  EXPECT_FALSE(json.contains("reason"));
}

TEST(WireTrackerTest, RefusesImpossibleOptions) {
  EXPECT_THROW(tracker({.high_threshold = 0.2, .low_threshold = 0.5}), Error);
  EXPECT_THROW(tracker({.bridge_px = 100.0}), Error);
}

TEST(WireSplineTest, FitsANoisyArcWithinHalfAPixel) {
  // guidewire.md 7.6: circle arc R = 50, noise 0.5 px. The largest error of one draw depends on the
  // draw, so the mean of 40 draws is held.
  constexpr double kRadius = 50.0, kAngle = 1.5 * std::numbers::pi;
  constexpr int kDraws = 40;
  const double length = kRadius * kAngle;
  double largest = 0.0;
  for (int draw = 0; draw < kDraws; ++draw) {
    Rng rng(static_cast<uint64_t>(draw));
    std::vector<Point2> points;
    for (double s = 0.0; s <= length; s += 1.0) {
      const double r = kRadius + rng.normal(0.0, 0.5);
      points.push_back({r * std::cos(s / kRadius), r * std::sin(s / kRadius)});
    }
    const auto spline = WireSpline::fit(points);
    const auto curve = spline.sample(1.0);
    double error = 0.0;
    for (const auto& p : curve) error = std::max(error, std::abs(std::hypot(p[0], p[1]) - kRadius));
    largest += error / kDraws;
    EXPECT_NEAR(path_length(curve), length, 0.01 * length);
    EXPECT_GT(spline.min_curvature_radius(), 20.0);
  }
  EXPECT_LT(largest, 0.5);
}

TEST(WireSplineTest, ReproducesAStraightLineExactly) {
  const auto spline = WireSpline::fit(line({3, 4}, {120, 60}));
  for (const double u : {0.0, 10.0, 77.7, spline.length_parameter()}) {
    const double t = u / std::hypot(117.0, 56.0);
    EXPECT_NEAR(spline.at(u)[0], 3.0 + t * 117.0, 1e-3);
    EXPECT_NEAR(spline.at(u)[1], 4.0 + t * 56.0, 1e-3);
    EXPECT_NEAR(std::hypot(spline.derivative(u)[0], spline.derivative(u)[1]), 1.0, 1e-3);
  }
  EXPECT_GT(spline.min_curvature_radius(), 1e4);
}

TEST(WireSplineTest, TakesAsFewPointsAsOne) {
  EXPECT_NEAR(WireSpline::fit(std::vector<Point2>{{5, 6}}).at(0.0)[0], 5.0, 1e-3);
  EXPECT_NEAR(WireSpline::fit(std::vector<Point2>{{5, 6}, {7, 6}}).sample().back()[0], 7.0, 1e-2);
  EXPECT_THROW(WireSpline::fit({}), Error);
}

TEST(WireMotionTest, LearnsAVelocityAndIgnoresOneSlip) {
  WireMotion motion;
  const auto at = [](double x) { return line({0, 50}, {x, 50}); };
  for (int i = 0; i < 10; ++i) motion.see(at(100.0 + 3.0 * i), i / 15.0);
  motion.see(at(20.0), 10 / 15.0);  // A slip: the tip can't have jumped 110 px back.
  EXPECT_NEAR(motion.tip(11 / 15.0)[0], 133.0, 6.0);
  for (int i = 11; i < 15; ++i) motion.see(at(20.0), i / 15.0);  // It stays there: believed.
  EXPECT_NEAR(motion.tip(15 / 15.0)[0], 20.0, 6.0);
}

TEST(WirePathsTest, NothingIsJoinedAcrossTheBorderOfTheField) {
  std::vector<uint8_t> skeleton(100 * 40, 0), blocked(100 * 40, 0);
  const std::vector<float> probability(100 * 40, 0.5F);
  for (size_t x = 0; x < 40; ++x) skeleton[20 * 100 + x] = 1;
  for (size_t x = 55; x < 100; ++x) skeleton[20 * 100 + x] = 1;
  const WirePathRule rule{};
  EXPECT_EQ(trace_wire_paths(skeleton, probability, {}, 100, 40, rule).size(), 1U);
  for (size_t y = 0; y < 40; ++y) blocked[y * 100 + 47] = 1;
  EXPECT_EQ(trace_wire_paths(skeleton, probability, blocked, 100, 40, rule).size(), 2U);
}

TEST(WireMaskTest, LowPixelsCountOnlyBesideHighOnes) {
  std::vector<float> probability(64 * 64, 0.0F);
  for (size_t x = 5; x < 60; ++x) probability[10 * 64 + x] = x < 30 ? 0.9F : 0.3F;
  for (size_t x = 5; x < 60; ++x) probability[40 * 64 + x] = 0.3F;
  const auto found = make_wire_mask(probability, 64, 64, {});
  EXPECT_EQ(found.pixels, 55);
  EXPECT_EQ(found.mask[10 * 64 + 50], 1);
  EXPECT_EQ(found.mask[40 * 64 + 20], 0);
  EXPECT_EQ(found.components_before, 1);
  EXPECT_THROW(static_cast<void>(make_wire_mask(probability, 63, 64, {})), Error);
}

}  // namespace
}  // namespace voxloom::infer
