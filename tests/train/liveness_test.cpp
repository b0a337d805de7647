#include "voxloom/train/distributed/liveness.h"

#include <map>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>

namespace voxloom::train {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

/// A board in memory that all ranks of a test see.
struct Board {
  std::mutex mutex;
  std::map<std::string, std::string> texts{{"alive/0", "0"}, {"alive/1", "0"}};
  bool gone = false;

  NoticeBoard of_a_rank() {
    const auto locked = [this](auto work) {
      const std::lock_guard lock(mutex);
      if (gone) throw std::runtime_error("no route\nstack");
      return work();
    };
    return {
        .put = [=, this](const std::string& key,
                         const std::string& text) { locked([&] { return texts[key] = text; }); },
        .put_first =
            [=, this](const std::string& key, const std::string& text) {
              return locked([&] { return texts.try_emplace(key, text).first->second; });
            },
        .has = [=, this](
                   const std::string& key) { return locked([&] { return texts.contains(key); }); },
        .get =
            [=, this](const std::vector<std::string>& keys) {
              return locked([&] {
                std::vector<std::string> out;
                for (const auto& key : keys) out.push_back(texts.at(key));
                return out;
              });
            }};
  }
};

Liveness::Options options(int64_t rank) {
  return {.rank = rank, .size = 2, .period = milliseconds(20), .silence = milliseconds(5000)};
}

/// Waits for what must come; the test's time limit ends a wait for what does not.
std::string trouble_of(const Liveness& liveness) {
  for (;;) {
    if (const auto trouble = liveness.trouble()) return *trouble;
    std::this_thread::sleep_for(milliseconds(5));
  }
}

TEST(LivenessTest, AllIsWellWhileAllCount) {
  Board board;
  Liveness first(board.of_a_rank(), options(0)), second(board.of_a_rank(), options(1));
  EXPECT_FALSE(first.find_lost());
  EXPECT_FALSE(second.trouble());
}

TEST(LivenessTest, ARankThatStandsStillIsLost) {
  Board board;  // rank 1 never counts
  auto quick = options(0);
  quick.silence = milliseconds(200);
  Liveness first(board.of_a_rank(), quick);
  EXPECT_THAT(trouble_of(first), HasSubstr("rank 1 was lost: no sign of life"));
}

TEST(LivenessTest, AfterABrokenConnectionTheSilentRankIsNamedSoon) {
  Board board;
  Liveness first(board.of_a_rank(), options(0));
  const auto lost = first.find_lost();
  ASSERT_TRUE(lost);
  EXPECT_THAT(*lost, HasSubstr("rank 1 was lost: its connection broke"));
}

TEST(LivenessTest, AnErrorOfOneRankReachesTheOther) {
  Board board;
  Liveness first(board.of_a_rank(), options(0)), second(board.of_a_rank(), options(1));
  second.report("rank 1 stopped: the disk is full");
  EXPECT_EQ(trouble_of(first), "rank 1 stopped: the disk is full");
  // What was said first stays.
  first.report("rank 0 stopped: rank 1 stopped");
  EXPECT_EQ(board.texts.at("trouble"), "rank 1 stopped: the disk is full");
}

TEST(LivenessTest, ARankThatEndedWellIsNotLost) {
  Board board;
  auto quick = options(0);
  quick.silence = milliseconds(300);
  Liveness first(board.of_a_rank(), quick);
  { const Liveness second(board.of_a_rank(), options(1)); }
  first.wait_for_others(milliseconds(60000));
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_FALSE(first.trouble());
}

TEST(LivenessTest, ABoardThatIsGoneMeansRankZero) {
  Board board;
  Liveness second(board.of_a_rank(), options(1));
  {
    const std::lock_guard lock(board.mutex);
    board.gone = true;
  }
  EXPECT_EQ(trouble_of(second), "rank 0 was lost: its meeting place does not answer (no route)");
}

}  // namespace
}  // namespace voxloom::train
