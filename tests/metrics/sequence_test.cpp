// What is measured over the frames of a sequence: tips, steadiness, DAVIS, latency.
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/metrics/davis.h"
#include "voxloom/metrics/latency.h"
#include "voxloom/metrics/temporal.h"
#include "voxloom/metrics/tip.h"

#include "random_masks.h"

namespace voxloom::metrics {
namespace {

using Tips = std::vector<Tip>;

TEST(TipTest, ErrorsNeedBothTips) {
  EXPECT_DOUBLE_EQ(tip_error(Tip{{3, 4}}, Tip{{0, 0}}).value(), 5.0);
  EXPECT_FALSE(tip_error(Tip{{3, 4}}, {}).has_value());
  EXPECT_FALSE(tip_error({}, Tip{{3, 4}}).has_value());
}

TEST(TipTest, MissingTipsMissAtEveryRadiusAndAreNotAveraged) {
  const Tips truth{Tip{{0, 0}}, Tip{{0, 0}}, Tip{{0, 0}}, Tip{{0, 0}}, {}, {}};
  const Tips predicted{Tip{{3, 0}}, Tip{{0, 5}}, Tip{{60, 80}}, {}, Tip{{1, 1}}, {}};
  const TipSummary s = summarize_tips(truth, predicted);
  EXPECT_EQ(s.frames, 4);
  EXPECT_EQ(s.missing, 1);
  EXPECT_EQ(s.spurious, 1);
  EXPECT_DOUBLE_EQ(s.mean_px.value(), 36.0);
  EXPECT_DOUBLE_EQ(s.median_px.value(), 5.0);
  EXPECT_EQ(s.radius_px, (std::vector<double>{3, 5, 10}));
  EXPECT_EQ(s.pck, (std::vector<double>{0.25, 0.5, 0.5}));
}

TEST(TipTest, NothingToMeasureIsAbsentAndNotZero) {
  const Tips none(2), one{Tip{{1, 1}}, {}};
  EXPECT_TRUE(summarize_tips(none, none).pck.empty());
  const TipSummary missed = summarize_tips(one, none);
  EXPECT_FALSE(missed.mean_px.has_value());
  EXPECT_EQ(missed.pck, (std::vector<double>{0, 0, 0}));
  EXPECT_THROW(static_cast<void>(summarize_tips(one, Tips(3))), Error);
}

TEST(TipTest, JitterIsTheSecondDifference) {
  Tips steady, shaking;
  for (int i = 0; i < 6; ++i) {
    steady.push_back(Tip{{2.0 * i, 3.0 * i}});
    shaking.push_back(Tip{{2.0 * i, i % 2 == 0 ? 0.0 : 1.0}});
  }
  EXPECT_NEAR(tip_jitter(steady).value(), 0.0, 1e-12);
  EXPECT_DOUBLE_EQ(tip_jitter(shaking).value(), 2.0);
  shaking[1].reset();  // Leaves the triples from 2 and from 3.
  shaking[5] = Tip{{10, 3}};
  EXPECT_DOUBLE_EQ(tip_jitter(shaking).value(), 0.5 * (2.0 + 4.0));
  EXPECT_FALSE(tip_jitter(Tips(5)).has_value());
  EXPECT_FALSE(tip_jitter(std::span(steady).first(2)).has_value());
}

TEST(TemporalTest, SaysHowMuchASequenceFlickers) {
  const std::vector<double> dice{0.8, 0.6, 0.8, 0.6};
  const std::vector<int64_t> pieces{1, 2, 0, 3};
  const Tips truth{Tip{{0, 0}}, Tip{{1, 0}}, Tip{{2, 0}}, Tip{{3, 0}}};
  const Tips tips{Tip{{0, 0}}, Tip{{1, 1}}, Tip{{2, 0}}, {}};
  const auto t = temporal_stability(dice, pieces, truth, tips);
  EXPECT_EQ(t.frames, 4);
  EXPECT_NEAR(t.dice_std, 0.1, 1e-15);
  EXPECT_DOUBLE_EQ(t.share_in_pieces, 0.5);
  EXPECT_DOUBLE_EQ(t.tip_jitter_px.value(), 2.0);
  EXPECT_DOUBLE_EQ(t.truth_tip_jitter_px.value(), 0.0);
  EXPECT_EQ(t.to_json().at("tip_jitter_px"), 2.0);
  const auto none = temporal_stability({}, {}, {}, {});
  EXPECT_EQ(none.frames, 0);
  EXPECT_TRUE(none.to_json().at("tip_jitter_px").is_null());
  EXPECT_THROW(static_cast<void>(temporal_stability(dice, {}, truth, tips)), Error);
}

TEST(DavisTest, OutlinesMatchWithinTheTolerance) {
  // 100x75: diagonal 125, 0.8 % of it is 1 pixel.
  constexpr int64_t kW = 100, kH = 75;
  const auto square = [&](int64_t x0) {
    std::vector<uint8_t> m(kW * kH, 0);
    for (int64_t y = 20; y < 50; ++y) {
      for (int64_t x = x0; x < x0 + 30; ++x) m[static_cast<size_t>(y * kW + x)] = 1;
    }
    return m;
  };
  EXPECT_EQ(davis_f(square(20), square(20), kW, kH), 1.0);
  EXPECT_EQ(davis_f(square(20), square(21), kW, kH), 1.0);
  const double f2 = davis_f(square(20), square(22), kW, kH);
  EXPECT_LT(f2, 0.6);
  EXPECT_GT(f2, 0.4);  // The upper and lower sides still match.
  EXPECT_EQ(davis_f(square(20), square(22), kW, kH, 2.0 / 125), 1.0);
}

TEST(DavisTest, EmptyMasksFollowTheStatedRules) {
  std::vector<uint8_t> empty(100, 0), dot(100, 0);
  dot[55] = 1;
  EXPECT_EQ(davis_f(empty, empty, 10, 10), 1.0);
  EXPECT_EQ(davis_f(empty, dot, 10, 10), 0.0);
  EXPECT_EQ(davis_f(dot, empty, 10, 10), 0.0);
  EXPECT_THROW(static_cast<void>(davis_f(dot, empty, 10, 11)), Error);
  EXPECT_THROW(static_cast<void>(davis_f(dot, dot, 10, 10, 0.0)), Error);
}

TEST(DavisTest, FirstAppearanceAndLastFrameAreLeftOut) {
  // Absent, given, 0.4, 0.8, last.
  const std::vector<DavisFrame> frames{
      {0.0, 0.0, true}, {1.0, 1.0, false}, {0.4, 0.6, false}, {0.8, 1.0, false}, {0.0, 0.0, false}};
  const auto s = davis_summary(frames);
  ASSERT_TRUE(s.has_value());
  EXPECT_EQ(s->frames, 2);
  EXPECT_NEAR(s->j_mean, 0.6, 1e-15);
  EXPECT_NEAR(s->f_mean, 0.8, 1e-15);
  EXPECT_DOUBLE_EQ(s->j_recall, 0.5);
  EXPECT_DOUBLE_EQ(s->f_recall, 1.0);
  EXPECT_FALSE(davis_summary(std::span(frames).first(3)).has_value());
  EXPECT_FALSE(davis_summary({}).has_value());
  const std::vector<DavisFrame> absent(6, {1.0, 1.0, true});
  EXPECT_FALSE(davis_summary(absent).has_value());
}

TEST(LatencyTest, WarmUpIsLeftOutAndPercentilesInterpolate) {
  std::vector<double> ms(50, 1000.0);
  for (int i = 1; i <= 101; ++i) ms.push_back(i);
  const LatencySummary s = summarize_latency(ms);
  EXPECT_EQ(s.frames, 101);
  EXPECT_DOUBLE_EQ(s.mean_ms, 51);
  EXPECT_DOUBLE_EQ(s.p50_ms, 51);
  EXPECT_DOUBLE_EQ(s.p95_ms, 96);
  EXPECT_DOUBLE_EQ(s.p99_ms, 100);
  EXPECT_DOUBLE_EQ(s.max_ms, 101);
  EXPECT_DOUBLE_EQ(s.frames_per_s, 1000.0 / 51);
  EXPECT_EQ(s.to_json().at("p95_ms"), 96.0);
}

TEST(LatencyTest, TooFewFramesAndBadTimesAreErrors) {
  const std::vector<double> fifty(50, 1.0), negative{-1.0}, nan{std::nan("")};
  EXPECT_THROW(static_cast<void>(summarize_latency(fifty)), Error);
  EXPECT_EQ(summarize_latency(fifty, 49).frames, 1);
  EXPECT_THROW(static_cast<void>(summarize_latency(negative, 0)), Error);
  EXPECT_THROW(static_cast<void>(summarize_latency(nan, 0)), Error);
  EXPECT_THROW(static_cast<void>(summarize_latency(fifty, -1)), Error);
}

}  // namespace
}  // namespace voxloom::metrics
