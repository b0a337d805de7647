// Compiled twice: against SQLite and against PostgreSQL.
#include "voxloom/jobs/queue.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::vector<QueueCase> numbered_cases(int count) {
  std::vector<QueueCase> cases;
  for (int i = 0; i < count; ++i) {
    cases.push_back({format("case_{}", i), Json{{"input", format("/in/{}.nii", i)}}});
  }
  return cases;
}

template <class F>
std::string message_of(ErrorCode code, F&& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace

class QueueTest : public DatabaseFixture {
 protected:
  Queue make(int cases, int64_t attempts = 3) {
    auto queue = Queue::create(database_, "q", Json{{"a", 1}}, attempts);
    queue.add(numbered_cases(cases));
    return queue;
  }
  /// As if the lease of every running case were over.
  void expire() { database_->run("UPDATE voxloom_cases SET lease_until_ms = 1"); }
};

TEST_F(QueueTest, AddingTheSameKeyTwiceIsOneCase) {
  auto queue = make(3);
  EXPECT_EQ(queue.add(numbered_cases(5)), 2);
  EXPECT_EQ(queue.counts().total(), 5);
}

TEST_F(QueueTest, AKeyWithAnotherRequestIsRefusedAndNothingIsAdded) {
  auto queue = make(2);
  auto cases = numbered_cases(4);
  cases[1].request["input"] = "/other.nii";
  EXPECT_THAT(message_of(ErrorCode::kAlreadyExists, [&] { queue.add(cases); }),
              HasSubstr("'case_1'"));
  EXPECT_EQ(queue.counts().total(), 2);
}

TEST_F(QueueTest, SettingsOfAQueueStayUnlessReplaced) {
  make(1);
  EXPECT_THAT(message_of(ErrorCode::kAlreadyExists,
                         [&] {
                           Queue::create(database_, "q", Json{{"a", 2}});
                         }),
              HasSubstr("exists with other settings"));
  Queue::create(database_, "q", Json{{"a", 2}}, 3, Queue::Existing::kReplace);
  EXPECT_EQ(Queue::open(database_, "q").settings().at("a"), 2);
  EXPECT_EQ(Queue::open(database_, "q").counts().total(), 1);
}

TEST_F(QueueTest, AnUnknownQueueIsExplained) {
  make(1);
  EXPECT_THAT(message_of(ErrorCode::kNotFound, [&] { Queue::open(database_, "p"); }),
              testing::AllOf(HasSubstr("queue 'p' does not exist"), HasSubstr("there: 'q'")));
}

TEST_F(QueueTest, CasesComeInTheOrderOfTheirAdding) {
  auto queue = make(3);
  EXPECT_EQ(queue.claim("w", 60s)->key, "case_0");
  EXPECT_EQ(queue.claim("w", 60s)->key, "case_1");
  EXPECT_EQ(queue.claim("w", 60s)->key, "case_2");
  EXPECT_FALSE(queue.claim("w", 60s));
}

TEST_F(QueueTest, QueuesDoNotMix) {
  auto queue = make(1);
  auto other = Queue::create(database_, "other", Json::object());
  other.add(std::vector<QueueCase>{{"x", Json::object()}});
  EXPECT_EQ(other.claim("w", 60s)->key, "x");
  EXPECT_FALSE(other.claim("w", 60s));
  EXPECT_EQ(queue.counts().waiting, 1);
}

TEST_F(QueueTest, EachCaseIsClaimedOnceByManyThreads) {
  make(40);
  std::mutex mutex;
  std::map<std::string, int> claimed;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto queue = Queue::open(open_database(url_), "q");  // a connection of its own
      while (auto claim = queue.claim("w", 60s)) {
        const std::scoped_lock lock(mutex);
        ++claimed[claim->key];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(claimed.size(), 40U);
  for (const auto& [key, times] : claimed) EXPECT_EQ(times, 1) << key;
}

TEST_F(QueueTest, EachCaseIsClaimedOnceByManyProcesses) {
  make(40);
  std::vector<pid_t> children;
  std::string folder = testing::TempDir() + "/claims-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      int code = 1;
      try {
        std::ofstream out(format("{}/{}", folder, i));
        auto queue = Queue::open(open_database(url_), "q");
        while (auto claim = queue.claim("w", 60s)) {
          out << claim->key << "\n";
          if (!queue.finish(*claim)) throw Error(ErrorCode::kInternal, "not ours");
        }
        code = 0;
      } catch (const std::exception&) {
      }
      std::_Exit(code);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  std::map<std::string, int> claimed;
  for (int i = 0; i < 3; ++i) {
    std::ifstream in(format("{}/{}", folder, i));
    for (std::string key; std::getline(in, key);) ++claimed[key];
  }
  // What std::_Exit left in a buffer is missing; a finished case is in the database.
  for (const auto& [key, times] : claimed) EXPECT_EQ(times, 1) << key;
  EXPECT_EQ(Queue::open(database_, "q").counts().done, 40);
}

TEST_F(QueueTest, ACaseWhoseLeaseIsOverGoesToAnother) {
  auto queue = make(1);
  const auto first = queue.claim("first", 60s);
  EXPECT_FALSE(queue.claim("second", 60s));
  expire();
  const auto second = queue.claim("second", 60s);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->attempt, 2);
  EXPECT_NE(first->token, second->token);
}

TEST_F(QueueTest, AnExtendedLeaseHolds) {
  auto queue = make(1);
  const auto claim = queue.claim("first", 60s);
  expire();
  EXPECT_TRUE(queue.extend(*claim, 60s));
  EXPECT_FALSE(queue.claim("second", 60s));
}

TEST_F(QueueTest, ALeaseRunsOutByItself) {
  auto queue = make(1);
  ASSERT_TRUE(queue.claim("first", 1ms));
  std::optional<CaseClaim> second;
  while (!second) second = queue.claim("second", 60s);
  EXPECT_EQ(second->key, "case_0");
}

TEST_F(QueueTest, WhoeverLostTheLeaseCanChangeNothing) {
  auto queue = make(1);
  const auto old = queue.claim("first", 60s);
  expire();
  const auto now = queue.claim("second", 60s);
  int published = 0;
  EXPECT_FALSE(queue.extend(*old, 60s));
  EXPECT_FALSE(queue.finish(*old, [&] { ++published; }));
  EXPECT_EQ(queue.fail(*old, "late"), Queue::Failed::kNotOurs);
  EXPECT_FALSE(queue.release(*old));
  EXPECT_EQ(published, 0);
  EXPECT_EQ(queue.counts().running, 1);
  EXPECT_TRUE(queue.finish(*now, [&] { ++published; }));
  EXPECT_EQ(published, 1);
  EXPECT_FALSE(queue.finish(*old));
  EXPECT_EQ(queue.counts().done, 1);
}

TEST_F(QueueTest, FinishingTwiceWithOneClaimPublishesOnce) {
  auto queue = make(1);
  const auto claim = queue.claim("w", 60s);
  int published = 0;
  EXPECT_TRUE(queue.finish(*claim, [&] { ++published; }));
  EXPECT_TRUE(queue.finish(*claim, [&] { ++published; }));
  EXPECT_EQ(published, 1);
}

TEST_F(QueueTest, AResultThatCannotBePublishedLeavesTheCaseWithItsWorker) {
  auto queue = make(1);
  const auto claim = queue.claim("w", 60s);
  EXPECT_THROW(queue.finish(*claim, [] { throw std::runtime_error("disk full"); }),
               std::runtime_error);
  EXPECT_EQ(queue.counts().running, 1);
  EXPECT_TRUE(queue.finish(*claim));
}

TEST_F(QueueTest, AFailedCaseIsTriedAfterTheOthersUntilItsAttemptsAreUsedUp) {
  auto queue = make(2, 2);
  auto claim = queue.claim("w", 60s);
  EXPECT_EQ(queue.fail(*claim, "no memory"), Queue::Failed::kWillRetry);
  EXPECT_EQ(queue.claim("w", 60s)->key, "case_1");
  claim = queue.claim("w", 60s);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->key, "case_0");
  EXPECT_EQ(claim->attempt, 2);
  EXPECT_EQ(queue.fail(*claim, "still no memory"), Queue::Failed::kForGood);
  EXPECT_FALSE(queue.claim("w", 60s));
  const auto failed = queue.list(CaseState::kFailed);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].key, "case_0");
  EXPECT_EQ(failed[0].message, "still no memory");
  EXPECT_EQ(failed[0].attempts, 2);
}

TEST_F(QueueTest, ACaseThatKillsEveryWorkerFails) {
  auto queue = make(1, 2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(queue.claim("host:7", 60s));
    expire();
  }
  EXPECT_FALSE(queue.claim("w", 60s));
  const auto failed = queue.list(CaseState::kFailed);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_THAT(failed[0].message, HasSubstr("worker 'host:7' was lost"));
}

TEST_F(QueueTest, ACaseGivenBackHasLostNoAttempt) {
  auto queue = make(1, 1);
  const auto claim = queue.claim("w", 60s);
  EXPECT_TRUE(queue.release(*claim));
  EXPECT_FALSE(queue.finish(*claim));
  const auto again = queue.claim("w", 60s);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->attempt, 1);
}

TEST_F(QueueTest, RetryBringsBackFailedCasesWithAllAttempts) {
  auto queue = make(2, 1);
  queue.fail(*queue.claim("w", 60s), "broken");
  queue.finish(*queue.claim("w", 60s));
  EXPECT_EQ(queue.retry_failed(), 1);
  const auto claim = queue.claim("w", 60s);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->key, "case_0");
  EXPECT_EQ(claim->attempt, 1);
  EXPECT_FALSE(claim->redo);
  EXPECT_EQ(queue.counts().done, 1);
}

TEST_F(QueueTest, OneCaseCanBeDoneAgainButNotWhileItRuns) {
  auto queue = make(1);
  const auto claim = queue.claim("w", 60s);
  EXPECT_THAT(message_of(ErrorCode::kUnavailable, [&] { queue.retry_case("case_0"); }),
              HasSubstr("being worked on"));
  queue.finish(*claim);
  queue.retry_case("case_0");
  const auto again = queue.claim("w", 60s);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->redo);
  EXPECT_FALSE(queue.finish(*claim));  // the first attempt's token is no longer known
  EXPECT_TRUE(queue.finish(*again));
  message_of(ErrorCode::kNotFound, [&] { queue.retry_case("nobody"); });
}

TEST_F(QueueTest, OddTextSurvives) {
  auto queue = Queue::create(database_, "queue 'x' ? \xc3\xa4", Json::object());
  const std::string key = "it's \"?\" $1";
  queue.add(std::vector<QueueCase>{{key, Json{{"input", "/a b/'?'\\"}}}});
  const auto claim = queue.claim("w", 60s);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->key, key);
  EXPECT_EQ(claim->request.at("input"), "/a b/'?'\\");
  message_of(ErrorCode::kInvalidArgument, [&] {
    queue.add(std::vector<QueueCase>{{"", Json::object()}});
  });
  message_of(ErrorCode::kInvalidArgument, [&] {
    queue.add(std::vector<QueueCase>{{"a\nb", Json::object()}});
  });
}
