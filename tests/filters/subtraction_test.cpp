#include "voxloom/filters/subtraction.h"

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/filters/template_match.h"

#include "pictures.h"

namespace voxloom::filters {
namespace {

constexpr int64_t kSide = 192;

FramePyramid pyramid(const image::Frame& frame) {
  FramePyramid p;
  p.assign(frame.pixels, frame.width, frame.height);
  return p;
}

std::vector<float> run(Subtraction& filter, const image::Frame& frame, double time_s) {
  std::vector<float> out(frame.pixels.size());
  (void)filter.step(FrameView(frame), time_s, out);
  return out;
}

TEST(RegistrationTest, FindsAShiftToATenthOfAPixel) {
  for (const auto& [dx, dy] : {std::pair{0.0, 0.0}, {2.3, -1.6}, {-5.4, 5.2}, {0.5, 0.25}}) {
    // The background shows at x what the live frame shows at x + shift.
    const auto motion = find_motion(
        pyramid(test::anatomy(kSide, kSide)), pyramid(test::anatomy(kSide, kSide, dx, dy)), {});
    ASSERT_GE(motion.points.size(), 4u);
    EXPECT_NEAR(motion.median_dx, -dx, 0.1);
    EXPECT_NEAR(motion.median_dy, -dy, 0.1);
  }
}

TEST(RegistrationTest, GainDoesNotMatter) {
  const auto background = test::anatomy(kSide, kSide);
  image::Frame live = test::anatomy(kSide, kSide, 3.0, 1.0);
  for (float& v : live.pixels) v = 0.1F + 0.7F * v;
  const auto motion = find_motion(pyramid(background), pyramid(live), {});
  EXPECT_NEAR(motion.median_dx, -3.0, 0.1);
  EXPECT_NEAR(motion.median_dy, -1.0, 0.1);
}

TEST(RegistrationTest, WarpBringsTheBackgroundOverTheFrame) {
  const auto background = test::anatomy(kSide, kSide),
             live = test::anatomy(kSide, kSide, 2.5, -3.5);
  const auto motion = find_motion(pyramid(background), pyramid(live), {});
  std::vector<float> moved(live.pixels.size()), back(live.pixels.size());
  warp(motion, background.pixels, kSide, kSide, 1.0F, moved);
  warp(motion, moved, kSide, kSide, -1.0F, back);
  for (int64_t y = 16; y < kSide - 16; ++y) {
    for (int64_t x = 16; x < kSide - 16; ++x) {
      ASSERT_NEAR(test::at(moved, kSide, x, y), test::at(live.pixels, kSide, x, y), 0.01)
          << x << "," << y;
      ASSERT_NEAR(test::at(back, kSide, x, y), test::at(background.pixels, kSide, x, y), 0.01);
    }
  }
}

TEST(RegistrationTest, APointThatMovesAloneIsRejected) {
  const auto background = test::anatomy(kSide, kSide);
  image::Frame live = background;
  // One part of the frame slides by 6 px.
  const image::Frame other = test::anatomy(kSide, kSide, 6.0, 0.0);
  for (int64_t y = 70; y < 112; ++y) {
    for (int64_t x = 70; x < 112; ++x) {
      const auto i = static_cast<size_t>(y * kSide + x);
      live.pixels[i] = other.pixels[i];
    }
  }
  const auto motion = find_motion(pyramid(background), pyramid(live), {});
  ASSERT_GE(motion.points.size(), 4u);
  for (const ControlPoint& p : motion.points) EXPECT_LT(std::hypot(p.dx, p.dy), 3.5);
  EXPECT_NEAR(motion.median_dx, 0.0, 0.1);
}

TEST(RegistrationTest, FlatFramesHaveNoPointsAndNoMotion) {
  image::Frame flat{.width = 64, .height = 64};
  flat.pixels.assign(64 * 64, 0.5F);
  const auto motion = find_motion(pyramid(flat), pyramid(flat), {});
  EXPECT_TRUE(motion.points.empty());
  std::vector<float> moved(flat.pixels.size());
  warp(motion, flat.pixels, 64, 64, 1.0F, moved);
  EXPECT_EQ(moved, flat.pixels);
}

TEST(TemplateMatchTest, SquaresThatLeaveTheImageAreSkipped) {
  const image::Frame frame = test::anatomy(32, 32);
  const MatchImage image{frame.pixels.data(), 32, 32};
  EXPECT_EQ(match_template(image, image, 3, 3, 5, 0, 0, 2, Precision::kPixel).ncc, -1.0);
  const Match edge = match_template(image, image, 5, 5, 5, 0, 0, 4, Precision::kSubPixel);
  EXPECT_NEAR(edge.dx, 0.0, 0.2);
  EXPECT_GT(edge.ncc, 0.999);
  EXPECT_GT(match_template(image, image, 26, 26, 5, 0, 0, 4, Precision::kPixel).ncc, 0.999);
}

TEST(CorrelationTest, KnowsEqualAndOppositeImages) {
  const std::vector<float> a = {1, 2, 3, 4}, b = {-2, -4, -6, -8}, flat = {1, 1, 1, 1};
  const std::vector<uint8_t> field = {1, 1, 1, 0};
  EXPECT_NEAR(correlation(a, a), 1.0, 1e-12);
  EXPECT_NEAR(correlation(a, b, field), -1.0, 1e-12);
  EXPECT_EQ(correlation(a, flat), 0.0);
}

class SubtractionTest : public testing::TestWithParam<infer::Background> {
 protected:
  Subtraction filter_{{.background = GetParam()}};
};

/// The anatomy breathes, a wire comes in after 1 s and moves on.
image::Frame breathing(int t, bool wire) {
  const double phase = 2.0 * std::sin(t / 4.0);
  image::Frame frame = test::anatomy(kSide, kSide, 0.3 * phase, phase);
  if (wire) test::draw_wire(frame, 40 + 3 * t, 40, 80 + 3 * t, 150, 0.3, 1.2);
  test::add_noise(frame, 0.005, static_cast<uint64_t>(t));
  return frame;
}

TEST_P(SubtractionTest, ShowsAMovingWireAndLittleElse) {
  std::vector<float> out;
  for (int t = 0; t < 24; ++t) out = run(filter_, breathing(t, t >= 15), t / 15.0);
  // Last frame: t = 23, the wire's middle at (40 + 69 + 20, 95).
  EXPECT_GT(test::at(out, kSide, 129, 95), 0.2F);
  double elsewhere = 0.0;
  int64_t n = 0;
  for (int64_t y = 20; y < kSide - 20; ++y) {
    for (int64_t x = 20; x < 80; ++x, ++n) elsewhere += std::abs(test::at(out, kSide, x, y));
  }
  EXPECT_LT(elsewhere / static_cast<double>(n), 0.03);
}

// The known weakness: subtraction is never the only channel.
TEST_P(SubtractionTest, AWireAtRestVanishes) {
  std::vector<float> out;
  for (int t = 0; t < 24; ++t) {
    image::Frame frame = test::anatomy(kSide, kSide);
    test::draw_wire(frame, 60, 40, 120, 150, 0.3, 1.2);
    out = run(filter_, frame, t / 15.0);
  }
  EXPECT_NEAR(test::at(out, kSide, 90, 95), 0.0F, 0.02F);
}

TEST_P(SubtractionTest, ContrastAgentThatFlowsInLooksLikeADevice) {
  std::vector<float> out;
  for (int t = 0; t < 24; ++t) {
    image::Frame frame = test::anatomy(kSide, kSide);
    if (t >= 20) test::draw_wire(frame, 60, 40, 120, 150, 0.3, 5.0);  // A vessel.
    out = run(filter_, frame, t / 15.0);
  }
  EXPECT_GT(test::at(out, kSide, 90, 95), 0.2F);
}

TEST_P(SubtractionTest, ATableMoveIsNoticedAndTheBackgroundStartsAgain) {
  std::vector<float> out(kSide * kSide);
  for (int t = 0; t < 20; ++t) out = run(filter_, test::anatomy(kSide, kSide), t / 15.0);
  const image::Frame moved = test::anatomy(kSide, kSide, 300.0, 171.0);
  const auto& state = filter_.step(FrameView(moved), 20 / 15.0, out);
  EXPECT_FALSE(state.valid);
  EXPECT_EQ(state.reason, "background lost");
  EXPECT_EQ(*std::max_element(out.begin(), out.end()), 0.0F);
  for (int t = 21; t < 40; ++t) {
    image::Frame frame = moved;
    if (t == 39) test::draw_wire(frame, 60, 40, 120, 150, 0.3, 1.2);
    out = run(filter_, frame, t / 15.0);
  }
  EXPECT_GT(test::at(out, kSide, 90, 95), 0.2F);
}

TEST_P(SubtractionTest, FirstFrameHasNoBackground) {
  std::vector<float> out(kSide * kSide);
  const image::Frame frame = test::anatomy(kSide, kSide);
  EXPECT_FALSE(filter_.step(FrameView(frame), 0.0, out).valid);
  for (int t = 1; t < 10; ++t) (void)run(filter_, frame, t / 15.0);
  EXPECT_TRUE(filter_.step(FrameView(frame), 10 / 15.0, out).valid);
  filter_.reset();
  const auto& state = filter_.step(FrameView(frame), 1.0, out);
  EXPECT_FALSE(state.valid);
  EXPECT_EQ(state.reason, "no background yet");
}

INSTANTIATE_TEST_SUITE_P(Backgrounds,
                         SubtractionTest,
                         testing::Values(infer::Background::kRunning, infer::Background::kPhase),
                         [](const auto& info) {
                           return info.param == infer::Background::kRunning ? "Running" : "Phase";
                         });

// Squares of 31 px drown in this noise; the view as a whole does not.
TEST_P(SubtractionTest, NoiseOfALowDoseIsNoTableMove) {
  std::vector<float> out(kSide * kSide);
  for (int t = 0; t < 20; ++t) {
    image::Frame frame = test::anatomy(kSide, kSide);
    test::add_noise(frame, 0.15, static_cast<uint64_t>(t));
    const auto& state = filter_.step(FrameView(frame), t / 15.0, out);
    if (t >= 6) EXPECT_TRUE(state.valid) << t << " " << state.reason;
  }
}

// Where a wire was when the background began, the background brightens once it has left.
TEST(RunningSubtractionTest, AGhostFadesWhenTheWireLeaves) {
  Subtraction filter({});
  std::vector<float> out;
  for (int t = 0; t < 30; ++t) {
    image::Frame frame = test::anatomy(kSide, kSide);
    if (t < 10) test::draw_wire(frame, 60, 40, 120, 150, 0.3, 1.2);
    out = run(filter, frame, t / 15.0);
    if (t == 10) EXPECT_LT(test::at(out, kSide, 90, 95), -0.2F);
  }
  EXPECT_NEAR(test::at(out, kSide, 90, 95), 0.0F, 0.03F);
}

}  // namespace
}  // namespace voxloom::filters
