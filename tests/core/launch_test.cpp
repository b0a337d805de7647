#include "voxloom/core/launch.h"

#include <map>
#include <thread>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Outcome {
  LaunchResult result;
  std::map<int64_t, std::vector<std::string>> out;
};

Outcome run(const std::string& script, LaunchOptions options, const CancelToken& stop = {}) {
  Outcome outcome;
  options.command = {"sh", "-c", script};
  options.on_line = [&](int64_t rank, ChildStream stream, std::string_view line) {
    if (stream == ChildStream::kOut) outcome.out[rank].emplace_back(line);
  };
  outcome.result = launch_ranks(options, stop);
  return outcome;
}

TEST(LaunchTest, EveryRankIsToldItsPlace) {
  const auto outcome =
      run("echo $RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR $OMP_NUM_THREADS "
          "$VOXLOOM_THREADS; test $MASTER_PORT -gt 0 && echo port",
          {.processes = 2, .threads_per_rank = 3});
  EXPECT_EQ(outcome.result.exit_code, 0);
  EXPECT_EQ(outcome.result.rank, -1);
  EXPECT_THAT(outcome.out.at(0), ElementsAre("0 0 2 2 127.0.0.1 3 3", "port"));
  EXPECT_THAT(outcome.out.at(1), ElementsAre("1 1 2 2 127.0.0.1 3 3", "port"));
}

TEST(LaunchTest, TheSecondOfTwoMachinesHasTheLaterRanks) {
  const auto outcome = run("echo $RANK $LOCAL_RANK $WORLD_SIZE $MASTER_ADDR:$MASTER_PORT",
                           {.processes = 2, .nodes = 2, .node_rank = 1, .master = {"node0", 1234}});
  EXPECT_EQ(outcome.result.exit_code, 0);
  EXPECT_THAT(outcome.out.at(2), ElementsAre("2 0 4 node0:1234"));
  EXPECT_THAT(outcome.out.at(3), ElementsAre("3 1 4 node0:1234"));
}

TEST(LaunchTest, ARankThatFailsEndsTheOthersAndGivesItsCode) {
  const auto outcome =
      run("if [ $RANK = 1 ]; then exit 7; fi; sleep 100; exit 1", {.processes = 3});
  EXPECT_EQ(outcome.result.exit_code, 7);
  EXPECT_EQ(outcome.result.rank, 1);
  EXPECT_EQ(outcome.result.message, "rank 1 ended with status 7; the other ranks were ended");
}

TEST(LaunchTest, ARankKilledBySignalIsNamedBeforeThoseItTookAlong) {
  // Rank 0 fails of its own a moment after rank 1 is gone, as one that lost its peer does.
  const auto outcome = run("if [ $RANK = 1 ]; then kill -9 $$; fi; trap '' TERM; sleep 0.3; exit 1",
                           {.processes = 2});
  EXPECT_EQ(outcome.result.exit_code, 137);
  EXPECT_EQ(outcome.result.rank, 1);
  EXPECT_THAT(outcome.result.message, HasSubstr("rank 1 was ended by signal 9"));
}

TEST(LaunchTest, ARankThatIgnoresTheEndIsKilled) {
  const auto outcome =
      run("if [ $RANK = 1 ]; then sleep 0.3; exit 3; fi; trap '' TERM; while :; do sleep 0.1; done",
          {.processes = 2, .grace = std::chrono::milliseconds(200)});
  EXPECT_EQ(outcome.result.exit_code, 3);
  EXPECT_EQ(outcome.result.rank, 1);
}

TEST(LaunchTest, StoppingReachesAllRanks) {
  CancelToken stop;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop.cancel();
  });
  const auto outcome =
      run("trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done", {.processes = 2}, stop);
  later.join();
  EXPECT_THAT(outcome.out.at(0), ElementsAre("asked"));
  EXPECT_THAT(outcome.out.at(1), ElementsAre("asked"));
}

TEST(LaunchTest, RefusesWhatCannotBe) {
  EXPECT_THROW(static_cast<void>(run("true", {.processes = 0})), Error);
  EXPECT_THROW(static_cast<void>(run("true", {.nodes = 2})), Error);
  EXPECT_THROW(static_cast<void>(run("true", {.nodes = 2, .node_rank = 2, .master = {"a", 1}})),
               Error);
  try {
    static_cast<void>(launch_ranks({.command = {"no-such-program-here"}, .processes = 2}, {}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace voxloom
