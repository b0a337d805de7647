#include <numeric>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/filters/anscombe.h"
#include "voxloom/filters/noise_model.h"
#include "voxloom/filters/recursive.h"

#include "pictures.h"

namespace voxloom::filters {
namespace {

constexpr int64_t kSide = 96;

image::Frame flat(float value) {
  image::Frame frame{.width = kSide, .height = kSide};
  frame.pixels.assign(kSide * kSide, value);
  return frame;
}

TEST(NoiseModelTest, FindsGainAndOffset) {
  image::Frame frame{.width = 512, .height = 256};
  Rng rng(1);
  constexpr double kGain = 0.002, kOffset = 0.0001;
  for (int64_t y = 0; y < frame.height; ++y) {
    for (int64_t x = 0; x < frame.width; ++x) {
      const double mean = 0.1 + 0.7 * static_cast<double>(x) / static_cast<double>(frame.width);
      frame.pixels.push_back(
          static_cast<float>(rng.normal(mean, std::sqrt(kGain * mean + kOffset))));
    }
  }
  const NoiseModel model = estimate_noise(FrameView(frame));
  for (const double mean : {0.2, 0.5, 0.8}) {
    EXPECT_NEAR(model.variance(mean), kGain * mean + kOffset, 0.12 * (kGain * mean + kOffset));
  }
  EXPECT_NEAR(model.gain, kGain, 0.25 * kGain);
}

TEST(NoiseModelTest, NoNoiseIsZero) {
  EXPECT_EQ(estimate_noise(FrameView(flat(0.4F))).variance(0.4), 0.0);
  const std::vector<float> tiny(4, 0.5F);
  EXPECT_EQ(estimate_noise(FrameView(tiny, 2, 2)).variance(0.5), 0.0);
}

TEST(AnscombeTest, MakesPoissonNoiseEvenAndComesBack) {
  // Poisson counts by inversion; grey value = gain * count.
  constexpr double kGain = 0.01;
  const Anscombe transform({kGain, 0.0});
  Rng rng(5);
  for (const double photons : {8.0, 30.0, 90.0}) {
    std::vector<float> stable;
    for (int i = 0; i < 20000; ++i) {
      const double limit = std::exp(-photons);
      double product = rng.uniform();
      int count = 0;
      for (; product > limit; ++count) product *= rng.uniform();
      stable.push_back(static_cast<float>(transform.forward(kGain * count)));
    }
    EXPECT_NEAR(test::std_of(stable), 1.0, 0.05) << photons;
    // The inverse of the mean is the mean: that is what makes it unbiased.
    EXPECT_NEAR(transform.inverse(test::mean_of(stable)) / kGain, photons, 0.01 * photons + 0.05);
  }
}

TEST(RecursiveFilterTest, LowersNoiseAsTheFormulaSays) {
  constexpr double kSigma = 0.02, kPast = 0.5;
  RecursiveFilter filter({.past = kPast, .guard = 0.0});
  image::Frame frame;
  for (uint64_t t = 0; t < 20; ++t) {
    frame = flat(0.5F);
    test::add_noise(frame, kSigma, t);
    filter.step(frame.pixels, {0.0, kSigma * kSigma});
  }
  EXPECT_NEAR(test::std_of(frame.pixels), kSigma * std::sqrt((1 - kPast) / (1 + kPast)), 0.001);
}

TEST(RecursiveFilterTest, GuardKeepsAMovingWireFromLeavingATrail) {
  const NoiseModel noise{0.0, 0.01 * 0.01};
  for (const double guard : {0.0, 3.0}) {
    RecursiveFilter filter({.past = 0.5, .guard = guard});
    image::Frame frame;
    for (int t = 0; t < 2; ++t) {
      frame = flat(0.6F);
      test::draw_wire(frame, 20 + 30 * t, -5, 20 + 30 * t, 120, 0.4, 1.2);
      filter.step(frame.pixels, noise);
    }
    const float trail = 0.6F - test::at(frame.pixels, kSide, 20, 40);
    if (guard == 0.0) {
      EXPECT_GT(trail, 0.1F);
    } else {
      EXPECT_NEAR(trail, 0.0F, 1e-4F);
      EXPECT_NEAR(test::at(frame.pixels, kSide, 50, 40), 0.36F, 1e-3F);
    }
  }
}

TEST(RecursiveFilterTest, StartsAgainAfterResetAndWithAnotherSize) {
  RecursiveFilter filter({.past = 0.9, .guard = 0.0});
  std::vector<float> black(16, 0.0F), white(16, 1.0F), small(4, 1.0F);
  filter.step(black, {});
  filter.step(white, {});
  EXPECT_NEAR(white[0], 0.1F, 1e-6F);
  filter.step(small, {});
  EXPECT_EQ(small[0], 1.0F);
  filter.reset();
  std::fill(white.begin(), white.end(), 1.0F);
  filter.step(white, {});
  EXPECT_EQ(white[0], 1.0F);
  EXPECT_THROW(RecursiveFilter({.past = 1.0}), Error);
}

/// The definition, pixel by pixel.
std::vector<float> naive_nvca(const std::vector<image::Frame>& frames,
                              const NoiseModel& noise,
                              double reach) {
  const image::Frame& now = frames.back();
  std::vector<float> out;
  for (int64_t y = 0; y < now.height; ++y) {
    for (int64_t x = 0; x < now.width; ++x) {
      const float centre = test::at(now.pixels, now.width, x, y);
      double sum = 0.0, count = 0.0;
      for (size_t t = frames.size() > 5 ? frames.size() - 5 : 0; t < frames.size(); ++t) {
        for (int64_t v = y - 2; v <= y + 2; ++v) {
          for (int64_t u = x - 2; u <= x + 2; ++u) {
            const float p = test::at(frames[t].pixels,
                                     now.width,
                                     std::clamp<int64_t>(u, 0, now.width - 1),
                                     std::clamp<int64_t>(v, 0, now.height - 1));
            if (std::abs(p - centre) <= reach * std::sqrt(noise.variance(centre))) {
              sum += p;
              count += 1.0;
            }
          }
        }
      }
      out.push_back(static_cast<float>(sum / count));
    }
  }
  return out;
}

TEST(NvcaTest, EqualsItsDefinition) {
  Nvca filter({.reach = 2.0});
  const NoiseModel noise{0.0004, 0.0001};
  std::vector<image::Frame> frames;
  for (uint64_t t = 0; t < 7; ++t) {
    image::Frame frame = test::anatomy(37, 21, static_cast<double>(t), 0);
    test::add_noise(frame, 0.02, t);
    frames.push_back(frame);
    filter.step(frame.pixels, 37, 21, noise);
    const auto expected = naive_nvca(frames, noise, 2.0);
    int64_t different = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      // A sample exactly at the limit may fall on either side.
      different += std::abs(expected[i] - frame.pixels[i]) > 1e-5F ? 1 : 0;
    }
    EXPECT_LE(different, 1) << t;
  }
}

TEST(NvcaTest, KeepsAWireThatMoves) {
  Nvca filter({.reach = 2.0});
  image::Frame frame;
  for (int t = 0; t < 6; ++t) {
    frame = flat(0.6F);
    test::draw_wire(frame, 20 + 8 * t, -5, 20 + 8 * t, 120, 0.5, 1.0);
    test::add_noise(frame, 0.02, static_cast<uint64_t>(t));
    filter.step(frame.pixels, kSide, kSide, {0.0, 0.0004});
  }
  EXPECT_LT(test::at(frame.pixels, kSide, 60, 50), 0.38F);
  EXPECT_NEAR(test::at(frame.pixels, kSide, 52, 50), 0.6F, 0.03F);
}

}  // namespace
}  // namespace voxloom::filters
