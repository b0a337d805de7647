#include "voxloom/metrics/overlap.h"

#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::metrics {
namespace {

using Labels = std::vector<uint16_t>;

TEST(OverlapTest, CountsOneValue) {
  const Labels truth{1, 1, 1, 0, 2, 0}, predicted{1, 0, 2, 1, 2, 0};
  const Overlap o = count_overlap(truth, predicted, 1);
  EXPECT_EQ(o.both, 1);
  EXPECT_EQ(o.truth_only, 2);
  EXPECT_EQ(o.predicted_only, 1);
  EXPECT_DOUBLE_EQ(o.dice(), 2.0 / 5.0);
  EXPECT_DOUBLE_EQ(o.iou(), 1.0 / 4.0);
  EXPECT_DOUBLE_EQ(o.precision(), 0.5);
  EXPECT_DOUBLE_EQ(o.recall(), 1.0 / 3.0);
}

TEST(OverlapTest, TwoEmptyMasksAgreeAndOneEmptyMaskScoresZero) {
  const std::vector<uint8_t> empty(4, 0), full(4, 3);
  const Overlap none = count_overlap(empty, empty);
  for (const double v : {none.dice(), none.iou(), none.precision(), none.recall()}) {
    EXPECT_EQ(v, 1.0);
  }
  for (const Overlap& o : {count_overlap(empty, full), count_overlap(full, empty)}) {
    for (const double v : {o.dice(), o.iou(), o.precision(), o.recall()}) EXPECT_EQ(v, 0.0);
  }
}

TEST(OverlapTest, OnePassOverAllValuesEqualsOnePassEach) {
  const Labels truth{0, 1, 2, 2, 700, 0, 9}, predicted{1, 1, 2, 9, 0, 0, 9};
  const auto all = count_overlaps(truth, predicted);
  ASSERT_EQ(all.size(), 4U);
  for (const auto& [value, overlap] : all) {
    EXPECT_EQ(overlap, count_overlap(truth, predicted, value)) << value;
  }
  EXPECT_EQ(all.count(0), 0U);
}

TEST(OverlapTest, DifferentLengthsAreAnError) {
  EXPECT_THROW(static_cast<void>(count_overlaps(Labels(3), Labels(4))), Error);
}

}  // namespace
}  // namespace voxloom::metrics
