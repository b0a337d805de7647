#include "voxloom/infer/click_simulator.h"

#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

using namespace voxloom;  // NOLINT(*-using-namespace)

namespace {

constexpr int64_t kWidth = 12, kHeight = 10;

std::vector<uint8_t> rectangle(int64_t x0, int64_t y0, int64_t x1, int64_t y1) {
  std::vector<uint8_t> mask(kWidth * kHeight, 0);
  for (int64_t y = y0; y <= y1; ++y) {
    for (int64_t x = x0; x <= x1; ++x) mask[static_cast<size_t>(y * kWidth + x)] = 1;
  }
  return mask;
}

}  // namespace

TEST(ClickSimulatorTest, FirstClickLiesInTheMiddleOfTheObject) {
  const auto click = infer::next_click(
      rectangle(3, 2, 7, 6), std::vector<uint8_t>(kWidth * kHeight), kWidth, kHeight, 4);
  ASSERT_TRUE(click);
  EXPECT_EQ(*click, (infer::PointPrompt{{5, 4, 4}, true}));
}

TEST(ClickSimulatorTest, ALargerWrongAreaGetsANegativeClick) {
  auto prediction = rectangle(0, 0, 2, 2);
  for (int64_t y = 4; y <= 8; ++y) {
    for (int64_t x = 5; x <= 9; ++x) prediction[static_cast<size_t>(y * kWidth + x)] = 1;
  }
  // Missed: column 3 of the object, one pixel wide. Added: a 5x5 square.
  const auto click = infer::next_click(rectangle(0, 0, 3, 2), prediction, kWidth, kHeight, 0);
  ASSERT_TRUE(click);
  EXPECT_EQ(*click, (infer::PointPrompt{{7, 6, 0}, false}));
}

TEST(ClickSimulatorTest, TheImageBorderIsABorder) {
  // The whole image is missed: without the padding there would be no border at all.
  const auto click = infer::next_click(std::vector<uint8_t>(kWidth * kHeight, 1),
                                       std::vector<uint8_t>(kWidth * kHeight, 0),
                                       kWidth,
                                       kHeight,
                                       0);
  ASSERT_TRUE(click);
  EXPECT_EQ(click->voxel[1], 4);
}

TEST(ClickSimulatorTest, NoClickWhenBothAgree) {
  const auto mask = rectangle(1, 1, 3, 3);
  EXPECT_FALSE(infer::next_click(mask, mask, kWidth, kHeight, 0));
}

TEST(ClickSimulatorTest, FindsTheLargestSliceAndItsTightBox) {
  image::LabelVolume labels(image::Geometry{.size = {4, 4, 3}});
  labels.voxels()[5] = 2;  // slice 0: one voxel
  for (int i : {1, 2, 5, 6}) labels.voxels()[static_cast<size_t>(16 + i)] = 2;
  labels.voxels()[33] = 2;  // slice 2: one voxel
  EXPECT_EQ(infer::largest_slice(labels, 2), 1);
  EXPECT_EQ(infer::largest_slice(labels, 7), std::nullopt);
  EXPECT_EQ(infer::tight_box(labels, 2, 1), (infer::BoxPrompt{{1, 0, 1}, {2, 1, 1}}));
  EXPECT_THROW(static_cast<void>(infer::tight_box(labels, 7, 1)), Error);
}
