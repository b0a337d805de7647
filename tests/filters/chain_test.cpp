#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/filter_chain.h"
#include "voxloom/filters/opencv_filters.h"

#include "pictures.h"

namespace voxloom::filters {
namespace {

infer::FilterChainOptions chain_of(const char* text) {
  return {.steps = infer::parse_filter_chain(text)};
}

image::Frame wire_frame(int t) {
  image::Frame frame = test::anatomy(160, 128, 0.2 * t, 0.0);
  frame.number = t;
  frame.time_s = t / 15.0;
  frame.pixel_mm = 0.2;
  if (t > 5) test::draw_wire(frame, 30 + 2 * t, 10, 70 + 2 * t, 120, 0.4, 1.2);
  test::add_noise(frame, 0.01, static_cast<uint64_t>(t));
  return frame;
}

TEST(FilterChainTest, EmptyChainReturnsTheFrame) {
  FilterChain chain(chain_of("none"));
  const image::Frame frame = wire_frame(3);
  const FilteredFrame result = chain.step(frame);
  EXPECT_EQ(result.image.pixels, frame.pixels);
  EXPECT_EQ(result.image.number, 3);
  EXPECT_EQ(result.image.pixel_mm, 0.2);
  EXPECT_TRUE(result.channels.empty());
}

TEST(FilterChainTest, LiveChainGivesImageRidgeAndSubtraction) {
  FilterChain chain(chain_of("live"));
  FilteredFrame result;
  for (int t = 0; t < 16; ++t) result = chain.step(wire_frame(t));
  ASSERT_EQ(result.channels.size(), 2u);
  EXPECT_EQ(result.channels[0].name, "subtract");
  EXPECT_EQ(result.channels[1].name, "frangi");
  EXPECT_TRUE(result.channels[0].valid);
  // The wire's middle at (30 + 30 + 20, 65).
  EXPECT_GT(test::at(result.channels[0].pixels, 160, 80, 65), 0.2F);
  EXPECT_GT(test::at(result.channels[1].pixels, 160, 80, 65), 0.3F);
  std::vector<std::string> stages;
  for (const auto& [name, ms] : result.times_ms) {
    stages.push_back(name);
    EXPECT_GE(ms, 0.0);
  }
  EXPECT_THAT(stages, testing::ElementsAre("field", "recursive", "subtract", "clahe", "frangi"));
}

TEST(FilterChainTest, ResetMakesItForgetAndRunsAreRepeatable) {
  FilterChain chain(chain_of("nvca+recursive:0.5+subtract+clahe+frangi"));
  std::vector<FilteredFrame> first, second;
  for (int t = 0; t < 9; ++t) first.push_back(chain.step(wire_frame(t)));
  chain.reset();
  for (int t = 0; t < 9; ++t) second.push_back(chain.step(wire_frame(t)));
  for (size_t t = 0; t < first.size(); ++t) {
    EXPECT_EQ(first[t].image.pixels, second[t].image.pixels);
    for (size_t k = 0; k < 2; ++k) {
      EXPECT_EQ(first[t].channels[k].pixels, second[t].channels[k].pixels);
    }
  }
}

TEST(FilterChainTest, ThreadsDoNotChangeTheResult) {
  std::vector<FilteredFrame> results;
  for (const int threads : {1, 2}) {
    set_thread_budget(threads);
    FilterChain chain(chain_of("live"));
    for (int t = 0; t < 4; ++t) (void)chain.step(wire_frame(t));
    results.push_back(chain.step(wire_frame(4)));
  }
  set_thread_budget(0);
  EXPECT_EQ(results[0].image.pixels, results[1].image.pixels);
  EXPECT_EQ(results[0].channels[0].pixels, results[1].channels[0].pixels);
  EXPECT_EQ(results[0].channels[1].pixels, results[1].channels[1].pixels);
}

TEST(FilterChainTest, NothingIsShownOutsideTheField) {
  image::Frame frame = wire_frame(8);
  for (int64_t y = 0; y < 128; ++y) {
    for (int64_t x = 0; x < 20; ++x) frame.pixels[static_cast<size_t>(y * 160 + x)] = 0.0F;
  }
  FilterChain chain(chain_of("clahe+frangi"));
  const FilteredFrame result = chain.step(frame);
  EXPECT_EQ(chain.field().left, 20);
  float at_edge = 0.0F;
  for (int64_t y = 0; y < 128; ++y) {
    EXPECT_EQ(test::at(result.channels[0].pixels, 160, 10, y), 0.0F);
    EXPECT_EQ(test::at(result.image.pixels, 160, 10, y), 0.0F);
    at_edge = std::max(at_edge, test::at(result.channels[0].pixels, 160, 21, y));
  }
  // The blade's edge is no wire.
  EXPECT_LT(at_edge, 0.3F);
  infer::FilterChainOptions blind = chain_of("clahe+frangi");
  blind.find_field = false;
  FilterChain without(blind);
  EXPECT_GT(*std::max_element(without.step(frame).channels[0].pixels.begin(),
                              without.step(frame).channels[0].pixels.end()),
            0.3F);
  EXPECT_TRUE(without.field().mask.empty());
}

TEST(FilterChainTest, TextIsPaintedOverAndGivesNoRidges) {
  image::Frame frame = wire_frame(0);
  for (int64_t y = 6; y < 18; ++y) {
    for (int64_t x = 8; x < 13; ++x) frame.pixels[static_cast<size_t>(y * 160 + x)] = 1.0F;
  }
  FilterChain chain(chain_of("frangi"));
  const FilteredFrame result = chain.step(frame);
  EXPECT_EQ(chain.field().text_parts, 1);
  EXPECT_LT(test::at(result.image.pixels, 160, 10, 12), 0.85F);
  EXPECT_GT(test::at(result.image.pixels, 160, 10, 12), 0.3F);
  EXPECT_EQ(test::at(result.channels[0].pixels, 160, 10, 12), 0.0F);
}

TEST(FilterChainTest, BrightObjectsAreTurnedDark) {
  image::Frame frame = wire_frame(8);
  image::Frame inverse = frame;
  for (float& v : inverse.pixels) v = 1.0F - v;
  infer::FilterChainOptions options = chain_of("frangi");
  FilterChain dark(options);
  options.polarity = infer::ObjectPolarity::kAuto;
  FilterChain automatic(options);
  const FilteredFrame a = dark.step(frame), b = automatic.step(inverse);
  EXPECT_TRUE(automatic.inverts());
  for (size_t i = 0; i < a.image.pixels.size(); ++i) {
    ASSERT_NEAR(a.image.pixels[i], b.image.pixels[i], 1e-6F);
  }
}

TEST(FilterChainTest, AFrameOfAnotherSizeStartsAgain) {
  FilterChain chain(chain_of("recursive:0.9,0+subtract"));
  (void)chain.step(wire_frame(0));
  const image::Frame small = test::anatomy(64, 48);
  const FilteredFrame result = chain.step(small);
  EXPECT_EQ(result.image.pixels, small.pixels);
  EXPECT_FALSE(result.channels[0].valid);
  EXPECT_EQ(result.channels[0].reason, "no background yet");
  image::Frame broken = small;
  broken.pixels.pop_back();
  EXPECT_THROW((void)chain.step(broken), Error);
}

TEST(FilterChainTest, EveryFilterRuns) {
  for (const char* name : {"clahe",
                           "nlm",
                           "gamma",
                           "bottomhat",
                           "linehat",
                           "frangi",
                           "subtract",
                           "recursive",
                           "nvca"}) {
    if (!has_opencv() && (std::string(name) == "nlm" || std::string(name).ends_with("hat"))) {
      EXPECT_THROW(FilterChain(chain_of(name)), Error) << name;
      continue;
    }
    FilterChain chain(chain_of(name));
    FilteredFrame result;
    for (int t = 6; t < 9; ++t) result = chain.step(wire_frame(t));
    const auto& pixels = result.channels.empty() ? result.image.pixels : result.channels[0].pixels;
    EXPECT_NE(pixels, wire_frame(8).pixels) << name;
    for (const float v : pixels) ASSERT_TRUE(std::isfinite(v)) << name;
  }
}

}  // namespace
}  // namespace voxloom::filters
