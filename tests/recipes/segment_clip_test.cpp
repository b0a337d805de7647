// Which slices and objects an example shows, how it is changed, and what the simulated annotator
// does.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/infer_ml/slice_reader.h"
#include "voxloom/models/sam2/prompt_encoder.h"
#include "voxloom/recipes/segment/clip.h"
#include "voxloom/recipes/segment/prompts.h"

#include "../train/temporary_folder.h"
#include "labelled_balls.h"

namespace voxloom::recipes::segment {
namespace {

namespace sam2 = models::sam2;
using ::testing::ElementsAre;

/// Ten slices; object 3 on slices 2 to 4, object 7 on slice 4 alone.
CaseIndex two_objects() {
  CaseIndex item{.id = "case", .size = {8, 8, 10}, .objects = {}};
  item.objects = {{3, {0, 0, 1, 1, 1, 0, 0, 0, 0, 0}}, {7, {0, 0, 0, 0, 1, 0, 0, 0, 0, 0}}};
  return item;
}

TEST(ChooseClipTest, ClipsBeginOnAnObjectAndStayInside) {
  std::set<std::vector<int64_t>> seen;
  for (uint64_t i = 0; i < 200; ++i) {
    Rng rng(1, i);
    const auto choice =
        choose_clip(two_objects(),
                    {.frames = 5, .max_objects = 1, .reverse_share = 0.5, .augment = false},
                    rng);
    ASSERT_EQ(choice.slices.size(), 5U);
    ASSERT_EQ(choice.values.size(), 1U);
    if (choice.values[0] == 7) {
      ASSERT_EQ(choice.slices[0], 4);
    }
    seen.insert(choice.slices);
  }
  // Forward from 2, 3 and 4; backward from 4 alone.
  EXPECT_THAT(seen,
              ElementsAre(std::vector<int64_t>{2, 3, 4, 5, 6},
                          std::vector<int64_t>{3, 4, 5, 6, 7},
                          std::vector<int64_t>{4, 3, 2, 1, 0},
                          std::vector<int64_t>{4, 5, 6, 7, 8}));
}

TEST(ChooseClipTest, ShortVolumesGiveShorterClips) {
  Rng rng(1);
  const auto choice = choose_clip(
      two_objects(), {.frames = 9, .max_objects = 5, .reverse_share = 0.0, .augment = false}, rng);
  EXPECT_EQ(choice.slices.back(), 9);
  EXPECT_LT(choice.slices.size(), 9U);
  CaseIndex empty = two_objects();
  empty.objects.clear();
  EXPECT_THROW(static_cast<void>(choose_clip(empty, {}, rng)), Error);
}

class MakeClipTest : public ::testing::Test {
  train::TemporaryFolder folder_;
  Progress progress_;

 protected:
  CaseStore store_{write_balls(folder_.path(), {.cases = 1}), "none", 1 << 20, progress_, {}};
  static constexpr int64_t kSize = 128;

  Clip make(const infer::ClipOptions& options, uint64_t seed) {
    Rng rng(seed);
    Clip clip;
    EXPECT_TRUE(make_clip(
        *store_.load(0), {.slices = {5, 4, 3}, .values = {2, 1}}, options, kSize, rng, clip));
    return clip;
  }
};

TEST_F(MakeClipTest, UnchangedSlicesAreThoseOfInference) {
  const Clip clip = make({.augment = false}, 1);
  infer_ml::SliceReader reader(store_.load(0)->grey, image::GreyMap{}, kSize);
  EXPECT_TRUE(torch::equal(clip.images[1], reader.read(4)[0]));
  ASSERT_THAT(clip.masks.sizes().vec(), ElementsAre(3, 2, kSize, kSize));
  // Both objects, in the order asked for: the second ball lies to the right of the first.
  const auto column = torch::arange(kSize, torch::kFloat);
  const auto centre = [&](int64_t n) {
    const auto mask = clip.masks[0][n];
    return ((mask * column).sum() / mask.sum()).item<double>();
  };
  EXPECT_GT(centre(0), centre(1) + 20);
}

TEST_F(MakeClipTest, ImageAndMasksAreChangedAlike) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const Clip plain = make({.augment = false}, seed), clip = make({.augment = true}, seed);
    EXPECT_FALSE(torch::equal(plain.masks, clip.masks));
    for (int64_t t = 0; t < 3; ++t) {
      // The balls stay brighter than what surrounds them wherever they went.
      const auto grey = clip.images[t][1];
      const auto inside = clip.masks[t].amax(0);
      ASSERT_GT(inside.sum().item<double>(), 0);
      const auto mean = [&](const at::Tensor& mask) {
        return ((grey * mask).sum() / mask.sum()).item<double>();
      };
      EXPECT_GT(mean(inside), mean(1.0 - inside) + 0.5);
    }
    const auto value = clip.masks.eq(0).logical_or(clip.masks.eq(1));
    EXPECT_TRUE(value.all().item<bool>());
    EXPECT_TRUE(torch::equal(clip.images, make({.augment = true}, seed).images));
  }
}

TEST(PromptPlanTest, SharesAndNumbersAreThoseOfTheOptions) {
  const infer::PromptSimulationOptions options;
  int points = 0, two = 0;
  constexpr int kDraws = 2000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    Rng rng(9, i);
    const PromptPlan plan = draw_prompt_plan(options, 8, rng);
    ASSERT_EQ(plan.conditioning.front(), 0);
    ASSERT_LE(plan.conditioning.size(), 2U);
    ASSERT_EQ(std::set<int64_t>(plan.conditioning.begin(), plan.conditioning.end()).size(),
              plan.conditioning.size());
    points += plan.points ? 1 : 0;
    two += plan.conditioning.size() == 2 ? 1 : 0;
    if (!plan.points) {
      ASSERT_TRUE(plan.corrected.empty());
      continue;
    }
    ASSERT_TRUE(plan.boxes[0]);  // the recipe's share of boxes is 1
    ASSERT_GE(plan.corrected.size(), plan.conditioning.size());
    ASSERT_LE(plan.corrected.size(), 2U);
    for (const int64_t t : plan.conditioning) {
      ASSERT_THAT(plan.corrected, ::testing::Contains(t));
    }
  }
  EXPECT_NEAR(points / double{kDraws}, 0.5, 0.04);
  EXPECT_NEAR(two / double{kDraws}, 0.5, 0.04);
  Rng rng(3);
  EXPECT_TRUE(draw_prompt_plan(options, 1, rng).points);
}

at::Tensor square_mask() {
  auto mask = torch::zeros({2, 32, 32});
  mask[0].slice(0, 8, 20).slice(1, 4, 24) = 1;  // rows 8 to 19, columns 4 to 23; object 1 is absent
  return mask;
}

TEST(DrawBoxesTest, SidesStayWithinTheNoise) {
  for (uint64_t i = 0; i < 100; ++i) {
    Rng rng(4, i);
    const PromptPoints box = draw_boxes(square_mask(), {.box_noise = 0.1}, rng);
    const auto xy = box.xy[0];
    EXPECT_NEAR(xy[0][0].item<double>(), 4, 1.9 + 1e-5);
    EXPECT_NEAR(xy[0][1].item<double>(), 8, 1.1 + 1e-5);
    EXPECT_NEAR(xy[1][0].item<double>(), 23, 1.9 + 1e-5);
    EXPECT_NEAR(xy[1][1].item<double>(), 19, 1.1 + 1e-5);
    EXPECT_EQ(box.labels[0][0].item<int64_t>(), sam2::kBoxTopLeft);
    EXPECT_EQ(box.labels[0][1].item<int64_t>(), sam2::kBoxBottomRight);
    EXPECT_EQ(box.labels[1][0].item<int64_t>(), sam2::kNegative);
    EXPECT_EQ(box.labels[1][1].item<int64_t>(), sam2::kNotAPoint);
  }
}

TEST(DrawClicksTest, ClicksLieOnErrorsWithTheirSign) {
  const auto truth = square_mask();
  auto prediction = truth.clone();
  prediction[0].slice(0, 8, 10).slice(1, 4, 24) = 0;   // two rows missed
  prediction[0].slice(0, 25, 27).slice(1, 4, 24) = 1;  // two rows added
  int positive = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    Rng rng(6, i);
    const PromptPoints click = draw_clicks(truth, prediction, rng);
    const auto row = click.xy[0][0][1].item<int64_t>();
    const bool is_positive = click.labels[0][0].item<int64_t>() == sam2::kPositive;
    EXPECT_TRUE(is_positive ? row == 8 || row == 9 : row == 25 || row == 26) << row;
    positive += is_positive ? 1 : 0;
    // Nothing is wrong with the absent object: the click lies on background.
    EXPECT_EQ(click.labels[1][0].item<int64_t>(), sam2::kNegative);
  }
  EXPECT_NEAR(positive, 100, 35);
}

}  // namespace
}  // namespace voxloom::recipes::segment
