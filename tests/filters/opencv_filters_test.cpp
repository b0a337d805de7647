#include "voxloom/filters/opencv_filters.h"

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/filters/gamma.h"

#include "pictures.h"

namespace voxloom::filters {
namespace {

class OpencvFiltersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_opencv()) GTEST_SKIP() << "built without OpenCV";
  }
};

image::Frame flat(int64_t side, float value) {
  image::Frame frame{.width = side, .height = side};
  frame.pixels.assign(static_cast<size_t>(side * side), value);
  return frame;
}

TEST_F(OpencvFiltersTest, NonLocalMeansLowersPoissonNoiseAndKeepsTheMean) {
  image::Frame clean = flat(96, 0.5F);
  test::draw_wire(clean, 10, 48, 86, 48, 0.4, 2.0);
  image::Frame noisy = clean;
  Rng rng(2);
  constexpr double kGain = 0.0025;
  for (float& v : noisy.pixels) v += static_cast<float>(rng.normal(0.0, std::sqrt(kGain * v)));
  std::vector<float> out(noisy.pixels.size());
  non_local_means(FrameView(noisy), {}, {kGain, 0.0}, out);
  double before = 0.0, after = 0.0;
  for (size_t i = 0; i < out.size(); ++i) {
    before += std::pow(noisy.pixels[i] - clean.pixels[i], 2);
    after += std::pow(out[i] - clean.pixels[i], 2);
  }
  EXPECT_LT(after, 0.25 * before);
  EXPECT_NEAR(test::mean_of(out), test::mean_of(clean.pixels), 0.003);
}

TEST_F(OpencvFiltersTest, NonLocalMeansLeavesAnImageWithoutNoiseAlone) {
  const image::Frame frame = test::anatomy(48, 40);
  std::vector<float> out(frame.pixels.size());
  non_local_means(FrameView(frame), {}, {}, out);
  EXPECT_EQ(out, frame.pixels);
}

TEST_F(OpencvFiltersTest, BottomHatShowsWhatIsNarrowAndDark) {
  image::Frame frame = flat(96, 0.7F);
  test::draw_wire(frame, 10, 30, 86, 34, 0.4, 1.2);
  test::draw_wire(frame, 48, 70, 49, 70, 0.4, 20.0);                 // A wide shadow.
  for (size_t i = 0; i < 96; ++i) frame.pixels[10 * 96 + i] = 1.0F;  // A bright line.
  std::vector<float> out(frame.pixels.size());
  bottom_hat(FrameView(frame), {.diameter = 11}, out);
  EXPECT_GT(test::at(out, 96, 48, 32), 0.8F);
  EXPECT_LT(test::at(out, 96, 48, 70), 0.25F);
  EXPECT_LT(test::at(out, 96, 48, 10), 0.05F);
  bottom_hat(FrameView(flat(32, 0.5F)), {}, std::span(out).first(32 * 32));
  EXPECT_EQ(out[100], 0.0F);
}

TEST_F(OpencvFiltersTest, LineHatKeepsWiresAndRejectsSpots) {
  for (const double angle : {0.0, 0.3, 0.8, 1.6, 2.5}) {
    image::Frame frame = flat(96, 0.7F);
    const double c = std::cos(angle), s = std::sin(angle);
    test::draw_wire(frame, 60 - 80 * c, 60 - 80 * s, 60 + 80 * c, 60 + 80 * s, 0.4, 1.2);
    test::draw_wire(frame, 20, 20, 20.01, 20, 0.4, 1.5);  // A spot.
    std::vector<float> lines(frame.pixels.size()), hat(frame.pixels.size());
    line_hat(FrameView(frame), {}, lines);
    bottom_hat(FrameView(frame), {.diameter = 11}, hat);
    if (std::hypot((20 - 60) * s - (20 - 60) * c, 0) < 12) continue;  // The line hits the spot.
    EXPECT_GT(test::at(lines, 96, 60, 60), 0.5F) << angle;
    EXPECT_LT(test::at(lines, 96, 20, 20), 0.1F) << angle;
    EXPECT_GT(test::at(hat, 96, 20, 20), 0.5F) << angle;
  }
}

TEST_F(OpencvFiltersTest, BadParametersAreRefused) {
  const image::Frame frame = test::anatomy(32, 32);
  std::vector<float> out(frame.pixels.size()), small(3);
  EXPECT_THROW(bottom_hat(FrameView(frame), {.diameter = 1}, out), Error);
  EXPECT_THROW(line_hat(FrameView(frame), {.length = 4}, out), Error);
  EXPECT_THROW(non_local_means(FrameView(frame), {.patch = 4}, {}, out), Error);
  EXPECT_THROW(bottom_hat(FrameView(frame), {}, small), Error);
}

TEST(AbsentOpencvTest, SaysSo) {
  if (has_opencv()) GTEST_SKIP() << "built with OpenCV";
  const image::Frame frame = test::anatomy(32, 32);
  std::vector<float> out(frame.pixels.size());
  try {
    bottom_hat(FrameView(frame), {}, out);
    FAIL() << "must throw";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
  }
}

TEST(GammaTest, MedianBecomesOneHalf) {
  image::Frame frame = test::anatomy(64, 64);
  for (float& v : frame.pixels) v *= 0.6F;
  const double gamma = adaptive_gamma(FrameView(frame), {});
  std::vector<float> out(frame.pixels.size());
  apply_gamma(FrameView(frame), gamma, out);
  EXPECT_NEAR(quantile(out, 0.5), 0.5F, 1e-3F);
  for (float& v : frame.pixels) v *= 0.05F;
  EXPECT_EQ(adaptive_gamma(FrameView(frame), {}), 0.5);
  EXPECT_EQ(adaptive_gamma(FrameView(flat(8, 0.99F)), {}), 2.0);
  EXPECT_EQ(adaptive_gamma(FrameView(flat(8, 0.0F)), {}), 1.0);
}

}  // namespace
}  // namespace voxloom::filters
