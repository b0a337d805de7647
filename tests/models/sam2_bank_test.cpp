#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/models/sam2/memory_bank.h"

namespace voxloom::models::sam2 {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// A record whose memory and pointer carry the slice's number.
SliceRecord record(int64_t slice) {
  SliceRecord out;
  const auto value = static_cast<float>(slice);
  out.memory = std::make_shared<MemoryFrame>(torch::full({1, 4, 2, 2}, value), false);
  out.pointer = torch::full({1, 8}, value);
  return out;
}

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

/// (slice, temporal row) of the maps that `t` reads.
Pairs maps(const MemoryBank& bank, int64_t t, Direction direction) {
  Pairs out;
  for (const auto& map : bank.maps_for(t, direction)) {
    out.emplace_back(map.frame->tokens()[0][0].item<int64_t>(), map.temporal_row);
  }
  return out;
}

/// (slice, distance) of the pointers that `t` reads.
Pairs pointers(const MemoryBank& bank, int64_t t, Direction direction) {
  Pairs out;
  for (const auto& pointer : bank.pointers_for(t, direction)) {
    out.emplace_back(pointer.value[0][0].item<int64_t>(), pointer.distance);
  }
  return out;
}

TEST(MemoryBankTest, ReadsPromptedSlicesThenSixNeighboursFarthestFirst) {
  MemoryBank bank(Sam2Options{}, 40);
  bank.prompted[5] = record(5);
  for (int64_t t = 6; t < 20; ++t) bank.tracked[t] = record(t);
  EXPECT_THAT(maps(bank, 20, Direction::kForward),
              ElementsAre(Pair(5, 6),
                          Pair(14, 5),
                          Pair(15, 4),
                          Pair(16, 3),
                          Pair(17, 2),
                          Pair(18, 1),
                          Pair(19, 0)));
  EXPECT_THAT(maps(bank, 8, Direction::kForward), ElementsAre(Pair(5, 6), Pair(6, 1), Pair(7, 0)));
  // Backwards, the neighbours lie at higher slices.
  EXPECT_THAT(maps(bank, 17, Direction::kBackward),
              ElementsAre(Pair(5, 6), Pair(19, 1), Pair(18, 0)));
}

TEST(MemoryBankTest, StrideTakesEveryRthSliceAndTheNeighbour) {
  Sam2Options options;
  options.memory_stride = 3;
  MemoryBank bank(options, 60);
  bank.prompted[0] = record(0);
  for (int64_t t = 1; t < 60; ++t) bank.tracked[t] = record(t);
  EXPECT_THAT(
      maps(bank, 25, Direction::kForward),
      ElementsAre(
          Pair(0, 6), Pair(9, 5), Pair(12, 4), Pair(15, 3), Pair(18, 2), Pair(21, 1), Pair(24, 0)));
  EXPECT_THAT(maps(bank, 25, Direction::kBackward),
              ElementsAre(Pair(0, 6),
                          Pair(39, 5),
                          Pair(36, 4),
                          Pair(33, 3),
                          Pair(30, 2),
                          Pair(27, 1),
                          Pair(26, 0)));
}

TEST(MemoryBankTest, PointersComeFromPassedPromptsAndFifteenNeighbours) {
  MemoryBank bank(Sam2Options{}, 40);
  bank.prompted[5] = record(5);
  bank.prompted[30] = record(30);
  for (int64_t t = 6; t < 30; ++t) bank.tracked[t] = record(t);
  const Pairs forward = pointers(bank, 25, Direction::kForward);
  ASSERT_EQ(forward.size(), 16U);  // slice 5 and 24..10; slice 30 lies ahead
  EXPECT_EQ(forward.front(), std::pair(int64_t{5}, int64_t{20}));
  EXPECT_EQ(forward[1], std::pair(int64_t{24}, int64_t{1}));
  EXPECT_EQ(forward.back(), std::pair(int64_t{10}, int64_t{15}));
  EXPECT_THAT(pointers(bank, 27, Direction::kBackward),
              ElementsAre(Pair(30, 3), Pair(28, 1), Pair(29, 2)));
  // Before the first prompted slice, forward, no pointer qualifies.
  EXPECT_TRUE(pointers(bank, 2, Direction::kForward).empty());
}

TEST(MemoryBankTest, ShortVolumesShortenThePointerHorizon) {
  EXPECT_EQ(MemoryBank(Sam2Options{}, 12).longest_distance(), 11);
  EXPECT_EQ(MemoryBank(Sam2Options{}, 200).longest_distance(), 15);
  EXPECT_EQ(MemoryBank(Sam2Options{}, 1).longest_distance(), 1);
}

TEST(MemoryBankTest, LimitedPromptsAreTheNearestOnBothSidesThenByDistance) {
  Sam2Options options;
  options.max_cond_frames = 3;
  MemoryBank bank(options, 60);
  for (const int64_t t : {0, 10, 20, 34, 50}) bank.prompted[t] = record(t);
  EXPECT_THAT(maps(bank, 25, Direction::kForward),
              ElementsAre(Pair(20, 6), Pair(34, 6), Pair(10, 6)));
  // One that was not chosen stands in for the tracked slice at its place.
  EXPECT_THAT(maps(bank, 4, Direction::kForward),
              ElementsAre(Pair(0, 6), Pair(10, 6), Pair(20, 6)));
  EXPECT_THAT(maps(bank, 55, Direction::kForward),
              ElementsAre(Pair(50, 6), Pair(34, 6), Pair(20, 6)));
  EXPECT_THAT(pointers(bank, 12, Direction::kForward), ElementsAre(Pair(10, 2), Pair(0, 12)));
}

TEST(MemoryBankTest, ForgettingNeverChangesWhatIsRead) {
  for (const int64_t stride : {1, 2, 3}) {
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      Sam2Options options;
      options.memory_stride = stride;
      MemoryBank all(options, 80), bounded(options, 80);
      const bool forward = direction == Direction::kForward;
      const int64_t key = forward ? 3 : 76;
      all.prompted[key] = bounded.prompted[key] = record(key);
      size_t most = 0;
      for (int64_t i = 1; i < 70; ++i) {
        const int64_t t = forward ? key + i : key - i;
        EXPECT_EQ(maps(all, t, direction), maps(bounded, t, direction)) << t;
        EXPECT_EQ(pointers(all, t, direction), pointers(bounded, t, direction)) << t;
        all.tracked[t] = bounded.tracked[t] = record(t);
        bounded.forget_behind(t, direction);
        most = std::max(most, bounded.tracked.size());
      }
      EXPECT_LE(most, static_cast<size_t>(std::max<int64_t>(15, 6 * stride + 1)));
    }
  }
}

}  // namespace
}  // namespace voxloom::models::sam2
