#include "voxloom/image/holes.h"

#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

using Mask = std::vector<uint8_t>;

TEST(FillSmallHolesTest, FillsUpToTheLimitAndCountsDiagonalsAsConnected) {
  // Two background pixels that touch at a corner are one hole of 2; the one alone is a hole of 1.
  std::vector<float> logits{1, 1,  1,  1, 1,  //
                            1, -2, 1,  1, 1,  //
                            1, 1,  -3, 1, 1,  //
                            1, 1,  1,  1, 0};
  auto one = logits;
  EXPECT_EQ(fill_small_holes(one, 5, 4, 1), 1);
  EXPECT_FLOAT_EQ(one[19], 0.1F);  // A logit of exactly 0 is background; the border counts too.
  EXPECT_FLOAT_EQ(one[6], -2.0F);
  auto two = logits;
  EXPECT_EQ(fill_small_holes(two, 5, 4, 2), 3);
  EXPECT_FLOAT_EQ(two[6], 0.1F);
  EXPECT_FLOAT_EQ(two[12], 0.1F);
  EXPECT_FLOAT_EQ(two[0], 1.0F);
}

TEST(FillHolesTest, FillsEnclosedBackgroundOnly) {
  Mask mask{0, 1, 1, 1, 0,  //
            0, 1, 0, 1, 0,  //
            0, 1, 1, 1, 0,  //
            0, 1, 0, 1, 0};
  EXPECT_EQ(fill_holes_per_slice(mask, {5, 4, 1}), 1);
  EXPECT_EQ(mask[7], 1);
  EXPECT_EQ(mask[17], 0);  // Open towards the border.
}

TEST(FillHolesTest, DiagonalGapDoesNotOpenAHole) {
  Mask mask{0,
            1,
            0,  //
            1,
            0,
            1,  //
            0,
            1,
            0};
  EXPECT_EQ(fill_holes_per_slice(mask, {3, 3, 1}), 1);
  EXPECT_EQ(mask[4], 1);
}

TEST(FillHolesTest, LimitKeepsLargeHoles) {
  Mask ring(49, 1);
  for (const size_t i : {16U, 17U, 18U}) ring[i] = 0;
  EXPECT_EQ(fill_holes_per_slice(ring, {7, 7, 1}, 2), 0);
  EXPECT_EQ(fill_holes_per_slice(ring, {7, 7, 1}, 3), 3);
}

TEST(FillHolesTest, ATunnelIsAHoleInEachSliceButNotACavity) {
  // A 3x3x3 block with the middle column (along z) missing.
  Mask block(27, 1);
  for (const size_t i : {4U, 13U, 22U}) block[i] = 0;
  Mask copy = block;
  EXPECT_EQ(fill_cavities(copy, {3, 3, 3}), 0);
  EXPECT_EQ(fill_holes_per_slice(copy, {3, 3, 3}), 3);
  Mask closed(27, 1);
  closed[13] = 0;
  EXPECT_EQ(fill_cavities(closed, {3, 3, 3}), 1);
}

TEST(FillHolesTest, WrongLengthIsAnError) {
  Mask mask(3);
  EXPECT_THROW(fill_holes_per_slice(mask, {2, 2, 1}), Error);
}

}  // namespace
}  // namespace voxloom::image
