#include "voxloom/infer/prompt_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

using testing::HasSubstr;

// The volume of every case: 100 x 80 x 40 voxels.
image::Geometry volume() {
  image::Geometry g;
  g.size = {100, 80, 40};
  return g;
}

PointPrompt pos(int64_t x, int64_t y, int64_t z) {
  return {{x, y, z}, true};
}
PointPrompt neg(int64_t x, int64_t y, int64_t z) {
  return {{x, y, z}, false};
}
SliceClick in(int64_t x, int64_t y) {
  return {x, y, true};
}
SliceClick out(int64_t x, int64_t y) {
  return {x, y, false};
}
BoxPrompt box(image::Index3 lo, image::Index3 hi) {
  return {lo, hi};
}
MaskPrompt mask(int64_t z) {
  return {z, std::vector<uint8_t>(100 * 80, 1)};
}
SlicePass up(int64_t first, int64_t last) {
  return {true, first, last};
}
SlicePass down(int64_t first, int64_t last) {
  return {false, first, last};
}
KeySlice at(int64_t z, std::optional<Rect> b, std::vector<SliceClick> p = {}) {
  return {z, b, std::move(p), {}};
}
KeySlice mask_at(int64_t z, size_t index, std::vector<SliceClick> p = {}) {
  return {z, {}, std::move(p), index};
}

struct Case {
  const char* name;
  const char* rule;  // The sentence that the case works out.
  std::vector<PointPrompt> points;
  std::vector<BoxPrompt> boxes;
  std::vector<MaskPrompt> masks;
  SegmentOptions options;
  // Expected.
  std::vector<KeySlice> keys;
  int64_t z_lo, z_hi;
  std::vector<SlicePass> passes;
  bool two_ended;
  std::vector<ClipRange> clips = {};
};

SegmentOptions plain() {
  return {};
}
SegmentOptions direction(Direction d) {
  SegmentOptions o;
  o.direction = d;
  return o;
}
SegmentOptions extend() {
  SegmentOptions o;
  o.extend = true;
  return o;
}
SegmentOptions clip() {
  SegmentOptions o;
  o.clip_box = true;
  return o;
}
SegmentOptions most(int64_t slices) {
  SegmentOptions o;
  o.max_slices = slices;
  return o;
}
SegmentOptions range(int64_t lo, int64_t hi) {
  SegmentOptions o;
  o.slice_range = {lo, hi};
  return o;
}

std::vector<Case> cases() {
  const Rect r{10, 20, 30, 40};
  return {
      // ---- points at two or more distinct z
      {"TwoSlices",
       "neighbours span the largest box of their positive points",
       {pos(10, 20, 5), pos(30, 40, 15)},
       {},
       {},
       plain(),
       {at(10, r)},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"OddSumRoundsDown",
       "key slice (z_i + z_{i+1}) / 2, odd sums round down",
       {pos(10, 20, 5), pos(30, 40, 16)},
       {},
       {},
       plain(),
       {at(10, r)},
       5,
       16,
       {up(5, 16), down(16, 5)},
       true},
      {"NeighbouringSlices",
       "slices 7 and 8 have their key on slice 7",
       {pos(10, 20, 7), pos(30, 40, 8)},
       {},
       {},
       plain(),
       {at(7, r)},
       7,
       8,
       {up(7, 8), down(8, 7)},
       true},
      {"SortedByZ",
       "the order in which points were given does not matter",
       {pos(30, 40, 15), pos(10, 20, 5)},
       {},
       {},
       plain(),
       {at(10, r)},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"BoxUsesBothSlices",
       "the box holds every positive point of both slices",
       {pos(10, 25, 4), pos(30, 30, 4), pos(20, 20, 10), pos(15, 40, 10)},
       {},
       {},
       plain(),
       {at(7, r)},
       4,
       10,
       {up(4, 10), down(10, 4)},
       true},
      {"ThreeSlicesMakeTwoPairs",
       "each pair of neighbours has a key slice of its own",
       {pos(10, 20, 0), pos(30, 40, 10), pos(50, 60, 20)},
       {},
       {},
       plain(),
       {at(5, r), at(15, Rect{30, 40, 50, 60})},
       0,
       20,
       {up(0, 20), down(20, 0)},
       true},
      {"NegativePointsGoAlong",
       "prompted with that box and the negative points of the two slices",
       {pos(10, 20, 5), neg(70, 70, 5), pos(30, 40, 15), neg(1, 2, 15)},
       {},
       {},
       plain(),
       {at(10, r, {out(70, 70), out(1, 2)})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"NegativePointsStayWithTheirPairs",
       "a negative point of the middle slice belongs to both",
       {pos(10, 20, 0), pos(30, 40, 10), neg(5, 5, 10), pos(50, 60, 20)},
       {},
       {},
       plain(),
       {at(5, r, {out(5, 5)}), at(15, Rect{30, 40, 50, 60}, {out(5, 5)})},
       0,
       20,
       {up(0, 20), down(20, 0)},
       true},
      {"NegativePointsDoNotWidenTheBox",
       "the box is that of the positive points",
       {pos(10, 20, 5), neg(90, 70, 5), pos(30, 40, 15)},
       {},
       {},
       plain(),
       {at(10, r, {out(90, 70)})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"SmallBoxBecomesPoints",
       "a box under 4 px on a side is replaced by the pair's points",
       {pos(10, 20, 5), pos(12, 40, 15)},
       {},
       {},
       plain(),
       {at(10, {}, {in(10, 20), in(12, 40)})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"SmallInHeightOnly",
       "either side counts",
       {pos(10, 20, 5), pos(40, 22, 15), neg(3, 3, 15)},
       {},
       {},
       plain(),
       {at(10, {}, {in(10, 20), in(40, 22), out(3, 3)})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"FourPixelsAreABox",
       "both ends inside: x 10 to 13 is 4 px wide",
       {pos(10, 20, 5), pos(13, 23, 15)},
       {},
       {},
       plain(),
       {at(10, Rect{10, 20, 13, 23})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"SamePixelOnBothSlices",
       "one pixel clicked twice is one point of the key slice",
       {pos(10, 20, 5), pos(10, 20, 15)},
       {},
       {},
       plain(),
       {at(10, {}, {in(10, 20)})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      {"NegativeSliceIsASlice",
       "a slice with a negative point alone counts as a distinct z",
       {pos(10, 20, 5), pos(30, 40, 5), neg(50, 50, 9)},
       {},
       {},
       plain(),
       {at(7, r, {out(50, 50)})},
       5,
       9,
       {up(5, 9), down(9, 5)},
       true},
      {"PairWithoutPositivePoint",
       "a pair that spans no box makes no key slice, the range stays",
       {pos(10, 20, 4), pos(30, 40, 4), neg(1, 1, 10), neg(2, 2, 20)},
       {},
       {},
       plain(),
       {at(7, r, {out(1, 1)})},
       4,
       20,
       {up(4, 20), down(20, 4)},
       true},
      {"ForwardOnlyFromZMin",
       "forward runs from z_min",
       {pos(10, 20, 5), pos(30, 40, 15)},
       {},
       {},
       direction(Direction::kForward),
       {at(10, r)},
       5,
       15,
       {up(5, 15)},
       true},
      {"BackwardOnlyFromZMax",
       "backward runs from z_max",
       {pos(10, 20, 5), pos(30, 40, 15)},
       {},
       {},
       direction(Direction::kBackward),
       {at(10, r)},
       5,
       15,
       {down(15, 5)},
       true},
      {"ClipBoxPerPair",
       "with clip-box nothing outside a pair's box on its slices",
       {pos(10, 20, 0), pos(30, 40, 10), pos(50, 60, 20)},
       {},
       {},
       clip(),
       {at(5, r), at(15, Rect{30, 40, 50, 60})},
       0,
       20,
       {up(0, 20), down(20, 0)},
       true,
       {{0, 10, r}, {10, 20, {30, 40, 50, 60}}}},
      {"NoClipWithoutBox",
       "a pair whose box was replaced by points has no box to clip to",
       {pos(10, 20, 5), pos(12, 40, 15)},
       {},
       {},
       clip(),
       {at(10, {}, {in(10, 20), in(12, 40)})},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      // ---- one key slice
      {"OneSliceOfPoints",
       "one z only: forward covers z >= key, backward z <= key",
       {pos(10, 20, 12), neg(30, 40, 12)},
       {},
       {},
       plain(),
       {at(12, {}, {in(10, 20), out(30, 40)})},
       0,
       39,
       {up(12, 39), down(12, 0)},
       false},
      {"FlatBox",
       "a box with z0 = z1 is a single key slice",
       {},
       {box({10, 20, 12}, {30, 40, 12})},
       {},
       plain(),
       {at(12, r)},
       0,
       39,
       {up(12, 39), down(12, 0)},
       false},
      {"OneMask",
       "a mask is a single key slice",
       {},
       {},
       {mask(12)},
       plain(),
       {mask_at(12, 0)},
       0,
       39,
       {up(12, 39), down(12, 0)},
       false},
      {"FlatBoxWithPoints",
       "points on the box's slice refine it",
       {neg(11, 21, 12), pos(20, 30, 12)},
       {box({10, 20, 12}, {30, 40, 12})},
       {},
       plain(),
       {at(12, r, {out(11, 21), in(20, 30)})},
       0,
       39,
       {up(12, 39), down(12, 0)},
       false},
      {"MaskWithPoints",
       "points on the mask's slice refine it",
       {neg(11, 21, 12)},
       {},
       {mask(12)},
       plain(),
       {mask_at(12, 0, {out(11, 21)})},
       0,
       39,
       {up(12, 39), down(12, 0)},
       false},
      {"ForwardHalf",
       "forward covers z >= key",
       {pos(10, 20, 12)},
       {},
       {},
       direction(Direction::kForward),
       {at(12, {}, {in(10, 20)})},
       12,
       39,
       {up(12, 39)},
       false},
      {"BackwardHalf",
       "backward covers z <= key",
       {pos(10, 20, 12)},
       {},
       {},
       direction(Direction::kBackward),
       {at(12, {}, {in(10, 20)})},
       0,
       12,
       {down(12, 0)},
       false},
      {"KeyOnTheFirstSlice",
       "the backward half is the key slice itself",
       {pos(10, 20, 0)},
       {},
       {},
       plain(),
       {at(0, {}, {in(10, 20)})},
       0,
       39,
       {up(0, 39), down(0, 0)},
       false},
      // ---- a box with depth
      {"DeepBox",
       "z0 < z1: key slice (z0 + z1) / 2, strict ends z0 and z1",
       {},
       {box({10, 20, 5}, {30, 40, 15})},
       {},
       plain(),
       {at(10, r)},
       5,
       15,
       {up(10, 15), down(10, 5)},
       false},
      {"DeepBoxOddSum",
       "odd sums round down",
       {},
       {box({10, 20, 5}, {30, 40, 8})},
       {},
       plain(),
       {at(6, r)},
       5,
       8,
       {up(6, 8), down(6, 5)},
       false},
      {"DeepBoxIgnoresExtend",
       "the ends of a box with depth are strict",
       {},
       {box({10, 20, 5}, {30, 40, 15})},
       {},
       extend(),
       {at(10, r)},
       5,
       15,
       {up(10, 15), down(10, 5)},
       false},
      {"DeepBoxClip",
       "with clip-box nothing outside the box on its slices",
       {},
       {box({10, 20, 5}, {30, 40, 15})},
       {},
       clip(),
       {at(10, r)},
       5,
       15,
       {up(10, 15), down(10, 5)},
       false,
       {{5, 15, r}}},
      {"DeepBoxWithPointElsewhere",
       "a point on another slice of the box is a second key slice",
       {pos(20, 30, 7)},
       {box({10, 20, 5}, {30, 40, 15})},
       {},
       plain(),
       {at(7, {}, {in(20, 30)}), at(10, r)},
       5,
       15,
       {up(5, 15), down(15, 5)},
       true},
      // ---- several key slices as boxes or masks
      {"TwoFlatBoxes",
       "all condition; range as for points",
       {},
       {box({10, 20, 5}, {30, 40, 5}), box({12, 20, 25}, {32, 40, 25})},
       {},
       plain(),
       {at(5, r), at(25, Rect{12, 20, 32, 40})},
       5,
       25,
       {up(5, 25), down(25, 5)},
       true},
      {"TwoFlatBoxesExtended",
       "or the whole volume with extend",
       {},
       {box({10, 20, 5}, {30, 40, 5}), box({12, 20, 25}, {32, 40, 25})},
       {},
       extend(),
       {at(5, r), at(25, Rect{12, 20, 32, 40})},
       0,
       39,
       {up(0, 39), down(39, 0)},
       true},
      {"TwoMasks",
       "separate masks are key slices each",
       {},
       {},
       {mask(20), mask(10)},
       plain(),
       {mask_at(10, 1), mask_at(20, 0)},
       10,
       20,
       {up(10, 20), down(20, 10)},
       true},
      {"BoxAndMask",
       "a box and a mask on other slices condition together",
       {},
       {box({10, 20, 5}, {30, 40, 5})},
       {mask(10)},
       plain(),
       {at(5, r), mask_at(10, 0)},
       5,
       10,
       {up(5, 10), down(10, 5)},
       true},
      {"TwoDeepBoxes",
       "range from the lowest to the highest end",
       {},
       {box({10, 20, 5}, {30, 40, 15}), box({10, 20, 20}, {30, 40, 31})},
       {},
       plain(),
       {at(10, r), at(25, r)},
       5,
       31,
       {up(5, 31), down(31, 5)},
       true},
      {"FlatBoxAndPositivePointElsewhere",
       "the point's slice is another key slice",
       {pos(20, 30, 9)},
       {box({10, 20, 5}, {30, 40, 5})},
       {},
       plain(),
       {at(5, r), at(9, {}, {in(20, 30)})},
       5,
       9,
       {up(5, 9), down(9, 5)},
       true},
      {"FlatBoxAndNegativePointElsewhere",
       "negative points alone select no slice",
       {neg(20, 30, 9)},
       {box({10, 20, 5}, {30, 40, 5})},
       {},
       plain(),
       {at(5, r)},
       0,
       39,
       {up(5, 39), down(5, 0)},
       false},
      {"PointsExtended",
       "extend frees the range of several point slices too",
       {pos(10, 20, 5), pos(30, 40, 15)},
       {},
       {},
       extend(),
       {at(10, r)},
       0,
       39,
       {up(0, 39), down(39, 0)},
       true},
      // ---- bounds
      {"MostSlicesAroundOneKey",
       "max-slices counts slices beyond the key, each way",
       {pos(10, 20, 12)},
       {},
       {},
       most(3),
       {at(12, {}, {in(10, 20)})},
       9,
       15,
       {up(12, 15), down(12, 9)},
       false},
      {"MostSlicesAroundSeveralKeys",
       "counted from the outermost key slices",
       {},
       {box({10, 20, 5}, {30, 40, 5}), box({10, 20, 25}, {30, 40, 25})},
       {},
       [] {
         auto o = most(2);
         o.extend = true;
         return o;
       }(),
       {at(5, r), at(25, r)},
       3,
       27,
       {up(3, 27), down(27, 3)},
       true},
      {"SliceRangeAroundOneKey",
       "slice-range keeps both halves inside",
       {pos(10, 20, 12)},
       {},
       {},
       range(10, 20),
       {at(12, {}, {in(10, 20)})},
       10,
       20,
       {up(12, 20), down(12, 10)},
       false},
      {"SliceRangeCutsTheRange",
       "keys outside still condition, nothing is written there",
       {},
       {box({10, 20, 5}, {30, 40, 5}), box({10, 20, 25}, {30, 40, 25})},
       {},
       range(10, 30),
       {at(5, r), at(25, r)},
       10,
       25,
       {up(10, 25), down(25, 10)},
       true},
  };
}

class PromptPlanCase : public testing::TestWithParam<Case> {};

TEST_P(PromptPlanCase, FollowsTheRule) {
  const Case& c = GetParam();
  SCOPED_TRACE(c.rule);
  ObjectPrompt object;
  object.points = c.points;
  object.boxes = c.boxes;
  object.masks = c.masks;
  const ObjectPlan plan = plan_object(object, volume(), c.options);
  ASSERT_EQ(plan.keys.size(), c.keys.size());
  for (size_t i = 0; i < c.keys.size(); ++i) {
    SCOPED_TRACE(testing::Message() << "key slice " << c.keys[i].z);
    EXPECT_EQ(plan.keys[i].z, c.keys[i].z);
    EXPECT_TRUE(plan.keys[i].box == c.keys[i].box);
    EXPECT_TRUE(plan.keys[i].points == c.keys[i].points);
    EXPECT_EQ(plan.keys[i].mask, c.keys[i].mask);
  }
  EXPECT_EQ(plan.z_lo, c.z_lo);
  EXPECT_EQ(plan.z_hi, c.z_hi);
  ASSERT_EQ(plan.passes.size(), c.passes.size());
  for (size_t i = 0; i < c.passes.size(); ++i) {
    EXPECT_EQ(plan.passes[i].forward, c.passes[i].forward);
    EXPECT_EQ(plan.passes[i].first, c.passes[i].first);
    EXPECT_EQ(plan.passes[i].last, c.passes[i].last);
  }
  EXPECT_EQ(plan.two_ended, c.two_ended);
  EXPECT_TRUE(plan.clips == c.clips);
}

INSTANTIATE_TEST_SUITE_P(Rules, PromptPlanCase, testing::ValuesIn(cases()), [](const auto& tested) {
  return std::string(tested.param.name);
});

TEST(PromptPlanTest, PixelsOutsideEveryPairsBoxAreNotWritten) {
  ObjectPrompt object;
  object.points = {pos(10, 20, 0), pos(30, 40, 10), pos(50, 60, 20)};
  const auto plan = plan_object(object, volume(), clip());
  EXPECT_TRUE(may_write(plan, 10, 20, 5));
  EXPECT_FALSE(may_write(plan, 45, 50, 5));
  EXPECT_TRUE(may_write(plan, 45, 50, 10)) << "the shared slice has both boxes";
  EXPECT_TRUE(may_write(plan, 10, 20, 10));
  EXPECT_FALSE(may_write(plan, 10, 20, 11));
  EXPECT_FALSE(may_write(plan, 45, 50, 21)) << "outside [z_min, z_max]";
}

TEST(PromptPlanTest, SaysWhichNegativePointsChangeNothing) {
  ObjectPrompt object;
  object.boxes = {box({10, 20, 5}, {30, 40, 15})};
  object.points = {neg(20, 30, 30)};
  const auto plan = plan_object(object, volume(), plain());
  ASSERT_EQ(plan.notes.size(), 1u);
  EXPECT_THAT(plan.notes[0], HasSubstr("[20, 30, 30]"));
}

TEST(PromptPlanTest, RefusesASliceRangeWithoutTheKeySlice) {
  ObjectPrompt object;
  object.points = {pos(10, 20, 12)};
  EXPECT_THAT([&] { (void)plan_object(object, volume(), range(20, 30)); },
              testing::ThrowsMessage<Error>(HasSubstr("must hold the key slice 12")));
}

TEST(PromptPlanTest, RefusesASliceRangeBesideTheObject) {
  ObjectPrompt object;
  object.points = {pos(10, 20, 5), pos(30, 40, 15)};
  EXPECT_THAT([&] { (void)plan_object(object, volume(), range(20, 30)); },
              testing::ThrowsMessage<Error>(HasSubstr("must overlap the object's slices 5 to 15")));
}

}  // namespace
}  // namespace voxloom::infer
