#include "voxloom/core/error.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace voxloom;  // NOLINT(*-using-namespace)

TEST(FormatTest, FillsNumbersTextAndLists) {
  EXPECT_EQ(format("{} of {}: '{}' {:.2f}", 3, 4U, "a", 1.5), "3 of 4: 'a' 1.50");
  EXPECT_EQ(format("spacing {} mm", std::vector<double>{0.7, 0.7, 0}), "spacing [0.7, 0.7, 0] mm");
  EXPECT_EQ(format("plain"), "plain");
}

TEST(FormatTest, RejectsAPatternWithTooFewArguments) {
  EXPECT_THROW(static_cast<void>(format("{} {}", 1)), Error);
}

TEST(ErrorTest, ContextGoesInFrontAndKeepsTheCode) {
  const Error inner(ErrorCode::kDataCorrupt, "spacing must be positive, got 0 mm");
  const Error outer = inner.with_context("volume 'a.nii'");
  EXPECT_STREQ(outer.what(), "volume 'a.nii': spacing must be positive, got 0 mm");
  EXPECT_EQ(outer.code(), ErrorCode::kDataCorrupt);
}

TEST(ErrorTest, CheckThrowsOnlyWhenTheConditionFails) {
  const auto check = [](int n) {
    VOXLOOM_CHECK(n > 0, ErrorCode::kInvalidArgument, "n: got {}", n);
  };
  EXPECT_NO_THROW(check(1));
  EXPECT_THAT([&] { check(-1); }, testing::ThrowsMessage<Error>("n: got -1"));
}
