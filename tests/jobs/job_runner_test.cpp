#include "voxloom/jobs/job_runner.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/jobs/process_identity.h"

#include "backend.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// A kind whose request holds the shell script to run.
JobKind scripts(const std::string& name, bool resumable = false) {
  return {.name = name,
          .argv =
              [](const JobRecord& job) {
                return std::vector<std::string>{
                    "sh", "-c", job.request.at("script").get<std::string>()};
              },
          .resumable = resumable,
          .grace = 100ms};
}

Json script(const std::string& text) {
  return {{"script", text}};
}

template <class F>
void until(F&& condition) {
  while (!condition()) std::this_thread::sleep_for(2ms);
}

constexpr const char* kSleep = "echo ready; exec sleep 600";

}  // namespace

class JobRunnerTest : public DatabaseFixture {
 protected:
  std::unique_ptr<JobRunner> make(bool resumable = false) {
    return std::make_unique<JobRunner>(
        database_,
        "here",
        std::vector<JobKind>{scripts("train", resumable), scripts("scoring")},
        [this](const JobRecord& job) {
          const std::scoped_lock lock(mutex_);
          if (statuses_.empty() || statuses_.back() != job.status) statuses_.push_back(job.status);
        });
  }
  std::mutex mutex_;
  std::vector<JobStatus> statuses_;
};

TEST_F(JobRunnerTest, FollowsAJobToItsEnd) {
  auto runner = make();
  const auto job = runner->submit(
      "train", script(R"(echo '{"progress": 0.5, "message": "epoch 1"}'; echo plain; echo bad >&2;
                echo '{"result": {"dice": 0.9}}')"));
  EXPECT_EQ(job.status, JobStatus::kSubmitted);
  const auto done = runner->wait(job.id, {});
  EXPECT_EQ(done.status, JobStatus::kDone);
  EXPECT_EQ(done.progress, 1.0);
  EXPECT_EQ(done.result.dump(), R"({"dice":0.9})");
  EXPECT_THAT(done.details, testing::IsSupersetOf({"started", "epoch 1", "plain", "bad", "done"}));
  EXPECT_GE(done.start_ms, done.submitted_ms);
  EXPECT_GE(done.end_ms, done.start_ms);
  EXPECT_EQ(job_json(*runner->latest("train")), job_json(done));
  runner.reset();
  EXPECT_THAT(statuses_, ElementsAre(JobStatus::kSubmitted, JobStatus::kRunning, JobStatus::kDone));
}

TEST_F(JobRunnerTest, FailuresAreErrorsWithTheReason) {
  auto runner = make();
  auto job = runner->wait(runner->submit("train", script("echo why >&2; exit 4")).id, {});
  EXPECT_EQ(job.status, JobStatus::kError);
  EXPECT_THAT(job.details, Contains("why"));
  EXPECT_EQ(job.details.back(), "the process ended with status 4");
  job = runner->wait(runner->submit("train", script("kill -9 $$")).id, {});
  EXPECT_THAT(job.details.back(), HasSubstr("signal 9"));
  job = runner->wait(runner->submit("train", Json::object()).id, {});  // argv throws
  EXPECT_EQ(job.status, JobStatus::kError);
  EXPECT_FALSE(job.details.empty());
  EXPECT_THROW(runner->submit("cooking", Json::object()), Error);
}

TEST_F(JobRunnerTest, OneAtATimeOfEachKindInOrder) {
  auto runner = make();
  const auto first = runner->submit("train", script(kSleep));
  const auto second = runner->submit("train", script("true"));
  const auto other = runner->submit("scoring", script("true"));
  EXPECT_EQ(runner->wait(other.id, {}).status, JobStatus::kDone);  // kinds do not wait
  until([&] { return runner->running("train").has_value(); });
  EXPECT_EQ(runner->running("train")->id, first.id);
  EXPECT_EQ(runner->find(second.id)->status, JobStatus::kSubmitted);
  const auto stopped = runner->stop_running("train");
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->id, first.id);
  EXPECT_EQ(stopped->status, JobStatus::kStopped);
  EXPECT_EQ(stopped->details.back(), "stopped");
  EXPECT_EQ(runner->wait(second.id, {}).status, JobStatus::kDone);
  EXPECT_FALSE(runner->stop_running("train"));
}

TEST_F(JobRunnerTest, AWaitingJobCanBeStopped) {
  auto runner = make();
  const auto first = runner->submit("train", script(kSleep));
  until([&] { return runner->running("train").has_value(); });
  const auto second = runner->submit("train", script("true"));
  const auto stopped = runner->stop(second.id);
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->status, JobStatus::kStopped);
  EXPECT_FALSE(task_json(*stopped).at("details").empty());
  EXPECT_EQ(stopped->start_ms, 0);
  runner->stop(first.id);
  EXPECT_EQ(runner->stop(first.id)->status, JobStatus::kStopped);  // again: as it is
  EXPECT_FALSE(runner->stop("no such id"));
}

TEST_F(JobRunnerTest, StopAtAnyMomentEndsAJobOnce) {
  auto runner = make();
  for (int i = 0; i < 20; ++i) {
    const auto job = runner->submit("train", script("sleep 0.01"));
    std::this_thread::sleep_for(std::chrono::microseconds{i * 500});
    const auto ended = runner->stop(job.id);
    ASSERT_TRUE(ended);
    EXPECT_TRUE(is_finished(ended->status));
  }
}

TEST_F(JobRunnerTest, WaitingCanBeGivenUp) {
  auto runner = make();
  const auto job = runner->submit("train", script(kSleep));
  CancelToken stop;
  stop.cancel();
  EXPECT_THROW(runner->wait(job.id, stop), Error);
  EXPECT_FALSE(is_finished(runner->find(job.id)->status));
  EXPECT_THROW(runner->wait("no such id", {}), Error);
}

TEST_F(JobRunnerTest, AtTheEndOfTheServerQueuedAndResumableJobsStay) {
  auto runner = make(true);
  const auto first = runner->submit("train", script(kSleep));
  const auto second = runner->submit("train", script("true"));
  const auto scoring = runner->submit("scoring", script(kSleep));
  until([&] { return runner->running("train") && runner->running("scoring"); });
  runner.reset();
  JobStore store(database_, "here");
  EXPECT_EQ(store.find(first.id)->status, JobStatus::kSubmitted);
  EXPECT_EQ(store.find(second.id)->status, JobStatus::kSubmitted);
  EXPECT_EQ(store.find(scoring.id)->status, JobStatus::kStopped);
  runner = make(true);
  until([&] { return runner->running("train").has_value(); });
  EXPECT_EQ(runner->running("train")->id, first.id);
  EXPECT_EQ(runner->running("train")->attempts, 2);
  runner->stop(first.id);
  EXPECT_EQ(runner->wait(second.id, {}).status, JobStatus::kDone);
}

TEST_F(JobRunnerTest, AfterAKillRunningJobsAreResumedOrLost) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t server = ::fork();
  if (server == 0) {
    try {
      JobRunner runner(open_database(url_), "here", {scripts("train", true), scripts("scoring")});
      runner.submit("train", script(kSleep));
      runner.submit("scoring", script(kSleep));
      until([&] {
        const auto ready = [&](const char* kind) {
          const auto job = runner.running(kind);
          return job && job->details.back() == "ready";
        };
        return ready("train") && ready("scoring");
      });
      static_cast<void>(!::write(pipe[1], "x", 1));
      ::pause();
    } catch (const std::exception&) {
    }
    std::_Exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(pipe[0], &byte, 1), 1);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);

  auto runner = make(true);
  const auto lost = runner->latest("scoring");
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->status, JobStatus::kLost);
  EXPECT_THAT(lost->details.back(), HasSubstr("its server ended"));
  EXPECT_NE(lost->end_ms, 0);
  until([&] { return runner->running("train").has_value(); });
  EXPECT_EQ(runner->running("train")->attempts, 2);
  EXPECT_THAT(runner->running("train")->details, Contains(HasSubstr("starts again")));
}

TEST_F(JobRunnerTest, AJobThatTakesItsServerDownIsNotResumedForEver) {
  JobStore store(database_, "here");
  auto job = store.add("train", script("true"), "");
  job.status = JobStatus::kRunning;
  job.attempts = 3;
  store.save(job, "");
  auto runner = make(true);
  EXPECT_EQ(runner->find(job.id)->status, JobStatus::kLost);
}

TEST_F(JobRunnerTest, JobsOfOtherScopesAreLeftAlone) {
  JobStore elsewhere(database_, "elsewhere");
  const auto job = elsewhere.add("train", script("true"), "");
  auto runner = make(true);
  EXPECT_FALSE(runner->latest("train"));
  EXPECT_EQ(elsewhere.find(job.id)->status, JobStatus::kSubmitted);
}

TEST_F(JobRunnerTest, AListenerGetsEveryLineAsItIs) {
  std::vector<std::string> lines;
  JobRunner runner(
      database_, "x", {scripts("train")}, {}, [&](const JobRecord&, std::string_view line) {
        lines.emplace_back(line);
      });
  const std::string row = R"({"case":"a","progress":1.0})";
  const auto job =
      runner.wait(runner.submit("train", script("echo '" + row + "'; echo plain")).id, {});
  EXPECT_THAT(lines, ElementsAre(row, "plain"));
  EXPECT_THAT(job.details, Not(Contains(HasSubstr("case"))));
}

TEST_F(JobRunnerTest, AListenerThatThrowsHarmsNothing) {
  JobRunner runner(database_, "x", {scripts("train")}, [](const JobRecord&) {
    throw std::runtime_error("listener");
  });
  EXPECT_EQ(runner.wait(runner.submit("train", script("true")).id, {}).status, JobStatus::kDone);
}
