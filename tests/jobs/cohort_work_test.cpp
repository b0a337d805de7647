#include "voxloom/jobs/cohort_work.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <gmock/gmock.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/jobs/command_line.h"

#include "backend.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::HasSubstr;
using Kind = CaseEvent::Kind;

class CohortWorkTest : public DatabaseFixture {
 protected:
  void SetUp() override {
    DatabaseFixture::SetUp();
    folder_ = fs::path(url_.substr(7)).parent_path();
    fs::create_directories(folder_ / "out");
    for (int i = 0; i < 6; ++i) {
      const auto path = folder_ / format("in_{}.txt", i);
      std::ofstream(path) << i;
      inputs_.push_back({format("in_{}", i), path});
    }
  }
  CohortCommand command(const std::string& words) const {
    return {.words = split_words(words), .output_dir = folder_ / "out", .suffix = ".txt"};
  }
  Queue make_queue(const std::string& words, int64_t attempts = 3) {
    auto queue = Queue::create(database_, "q", command(words).to_json(), attempts);
    queue.add(to_cases(inputs_));
    return queue;
  }
  CaseSink sink() {
    return [this](const CaseEvent& event) { events_[event.kind].push_back(event); };
  }
  static WorkOptions quick() { return {.workers = 2, .poll = 10ms, .until_empty = true}; }
  fs::path folder_;
  std::vector<CohortInput> inputs_;
  std::map<Kind, std::vector<CaseEvent>> events_;
};

TEST_F(CohortWorkTest, EveryCaseOfAQueueIsDone) {
  auto queue = make_queue("cp {input} {output}");
  work_on_queue(queue, quick(), {}, sink());
  EXPECT_EQ(events_[Kind::kDone].size(), 6U);
  EXPECT_EQ(queue.counts().done, 6);
  EXPECT_EQ(read_text_file(folder_ / "out/in_3.txt"), "3");
}

TEST_F(CohortWorkTest, ResultsThatExistAreNotMadeAgain) {
  std::ofstream(folder_ / "out/in_1.txt") << "mine";
  auto queue = make_queue("cp {input} {output}");
  work_on_queue(queue, quick(), {}, sink());
  EXPECT_EQ(events_[Kind::kSkipped].size(), 1U);
  EXPECT_EQ(read_text_file(folder_ / "out/in_1.txt"), "mine");
  queue.retry_case("in_1");
  work_on_queue(queue, quick(), {}, sink());
  EXPECT_EQ(read_text_file(folder_ / "out/in_1.txt"), "1");
}

TEST_F(CohortWorkTest, FailuresAreTriedAgainAndSayWhatTheCommandSaid) {
  auto queue = make_queue(
      "sh -c 'echo {name} is bad >&2; test {name} != in_2 && cp \"$0\" \"$1\"' "
      "{input} {output}",
      2);
  work_on_queue(queue, quick(), {}, sink());
  EXPECT_EQ(events_[Kind::kDone].size(), 5U);
  EXPECT_EQ(events_[Kind::kWillRetry].size(), 1U);
  ASSERT_EQ(events_[Kind::kFailed].size(), 1U);
  EXPECT_THAT(events_[Kind::kFailed][0].message,
              testing::AllOf(HasSubstr("status 1"), HasSubstr("in_2 is bad")));
  EXPECT_FALSE(fs::exists(folder_ / "out/in_2.txt"));
}

TEST_F(CohortWorkTest, ACommandThatWritesNothingOrDoesNotExistFails) {
  auto queue = make_queue("true {input} {output}", 1);
  work_on_queue(queue, quick(), {}, sink());
  ASSERT_EQ(events_[Kind::kFailed].size(), 6U);
  EXPECT_THAT(events_[Kind::kFailed][0].message, HasSubstr("did not write"));
  events_.clear();
  work_on_list(command("no-such-program {input} {output}"), inputs_, quick(), {}, sink());
  ASSERT_EQ(events_[Kind::kFailed].size(), 6U);
  EXPECT_THAT(events_[Kind::kFailed][0].message, HasSubstr("no-such-program"));
}

TEST_F(CohortWorkTest, ACaseThatTakesTooLongIsStopped) {
  auto options = quick();
  options.timeout = 20ms;
  const auto only = command("sh -c 'sleep 600' {input} {output}");
  work_on_list(only, {inputs_[0]}, options, {}, sink());
  ASSERT_EQ(events_[Kind::kFailed].size(), 1U);
  EXPECT_THAT(events_[Kind::kFailed][0].message, HasSubstr("longer"));
}

TEST_F(CohortWorkTest, StopGivesTheCasesBackUntried) {
  auto queue = make_queue("sh -c 'touch \"$1.started\"; sleep 600' {input} {output}");
  CancelToken stop;
  std::thread stopper([&] {
    const auto started = [&] {
      for (const auto& entry : fs::recursive_directory_iterator(folder_ / "out")) {
        if (entry.path().extension() == ".started") return true;
      }
      return false;
    };
    while (!started()) std::this_thread::sleep_for(2ms);
    stop.cancel();
  });
  work_on_queue(queue, quick(), stop, sink());
  stopper.join();
  EXPECT_GE(events_[Kind::kReturned].size(), 1U);
  EXPECT_EQ(queue.counts().waiting, 6);
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
  EXPECT_EQ(queue.claim("w", 60s)->attempt, 1);
}

TEST_F(CohortWorkTest, AWorkerThatLostItsLeasePublishesNothing) {
  inputs_.resize(1);
  // The command has its result soon, and ends when the case is stolen.
  auto queue = make_queue(
      "sh -c 'cp \"$0\" \"$1\"; touch \"$2/started\"; until [ -e \"$2/go\" ]; do "
      "sleep 0.01; done' {input} {output} " +
      folder_.string());
  auto options = quick();
  options.workers = 1;
  options.lease = 300ms;
  std::optional<CaseClaim> thief;
  std::thread other([&] {
    while (!fs::exists(folder_ / "started")) std::this_thread::sleep_for(2ms);
    auto database = open_database(url_);
    auto mine = Queue::open(database, "q");
    while (!thief) {
      database->run("UPDATE voxloom_cases SET lease_until_ms = 1");
      thief = mine.claim("thief", 60s);
    }
    std::ofstream(folder_ / "go") << "";
  });
  CancelToken stop;
  work_on_queue(queue, options, stop, [&](const CaseEvent& event) {
    sink()(event);
    stop.cancel();
  });
  other.join();
  ASSERT_EQ(events_[Kind::kLostLease].size(), 1U);
  EXPECT_FALSE(fs::exists(folder_ / "out/in_0.txt"));
  EXPECT_TRUE(queue.finish(*thief));
}

TEST_F(CohortWorkTest, ALongCaseKeepsItsLease) {
  inputs_.resize(1);
  auto queue = make_queue("sh -c 'sleep 4; cp \"$0\" \"$1\"' {input} {output}");
  auto options = quick();  // the second thread would take the case over
  options.lease = 3000ms;
  work_on_queue(queue, options, {}, sink());
  EXPECT_EQ(events_[Kind::kDone].size(), 1U);
  EXPECT_EQ(events_.size(), 1U);
}

TEST_F(CohortWorkTest, AListNeedsNoDatabaseAndSkipsWhatIsThere) {
  const auto copy = command("cp {input} {output}");
  work_on_list(copy, {inputs_[0], inputs_[1]}, quick(), {}, sink());
  work_on_list(copy, inputs_, quick(), {}, sink());
  EXPECT_EQ(events_[Kind::kDone].size(), 6U);
  EXPECT_EQ(events_[Kind::kSkipped].size(), 2U);
}
