#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::infer {
namespace {

TEST(FilterOptionsTest, ChainsAreReadWithTheirParameters) {
  const auto steps =
      parse_filter_chain("recursive:0.4+clahe:3,4x6+nlm:1.5,5,15+frangi:1,2+subtract:phase,2,1.2");
  const std::vector<FilterStep> expected = {
      RecursiveOptions{.past = 0.4},
      ClaheOptions{.clip_limit = 3, .tiles_x = 4, .tiles_y = 6},
      NonLocalMeansOptions{.strength = 1.5, .patch = 5, .search = 15},
      FrangiOptions{.sigmas = {1, 2}},
      SubtractOptions{.background = Background::kPhase, .best = 2, .window_s = 1.2}};
  EXPECT_EQ(steps, expected);
}

TEST(FilterOptionsTest, TextOfAStepIsReadBack) {
  for (const char* name : {"clahe",
                           "nlm",
                           "gamma",
                           "bottomhat",
                           "linehat",
                           "frangi",
                           "subtract",
                           "recursive",
                           "nvca",
                           "subtract:phase,4,2",
                           "clahe:0,1x2",
                           "recursive:0.2,0",
                           "frangi:0.8,3"}) {
    const FilterStep step = parse_filter(name);
    EXPECT_EQ(parse_filter(filter_text(step)), step) << name;
  }
  EXPECT_EQ(filter_text(parse_filter("clahe")), "clahe:2,8x8");
}

TEST(FilterOptionsTest, NamedChains) {
  EXPECT_TRUE(parse_filter_chain("none").empty());
  EXPECT_TRUE(parse_filter_chain("").empty());
  EXPECT_EQ(parse_filter_chain(filter_chain_text(live_filter_steps())), live_filter_steps());
  EXPECT_EQ(parse_filter_chain("live"), live_filter_steps());
}

TEST(FilterOptionsTest, MistakesAreNamed) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"claeh",
       "must be one of clahe, nlm, gamma, bottomhat, linehat, frangi, subtract, "
       "recursive, nvca, got 'claeh'"},
      {"clahe+", "got ''"},
      {"clahe:x", "the clip limit must lie within [0, 100], got 'x'"},
      {"clahe:2,8", "COLUMNSxROWS, got '8'"},
      {"clahe:2,8x", "COLUMNSxROWS, got '8x'"},
      {"clahe:2,8x8,9", "at most 2 parameters, got 3"},
      {"nlm:1,4", "the patch must be odd, got 4"},
      {"frangi:0.5", "a sigma must lie within [0.8, 20], got '0.5'"},
      {"frangi:1,,2", "got ''"},
      {"subtract:fast", "running or phase, got 'fast'"},
      {"recursive:1", "within [0, 0.95], got '1'"},
      {"recursive:nan", "got 'nan'"},
      {"bottomhat:7.5", "whole number, got '7.5'"},
      {"gamma:0.5,2,3", "at most 2 parameters, got 3"},
  };
  for (const auto& c : cases) {
    try {
      (void)parse_filter_chain(c.text);
      ADD_FAILURE() << c.text << " must be refused";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(e.what(), testing::HasSubstr(c.message)) << c.text;
    }
  }
}

}  // namespace
}  // namespace voxloom::infer
