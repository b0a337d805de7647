// Compiled twice: against SQLite and against PostgreSQL.
#include "voxloom/jobs/job_store.h"

#include <regex>

#include <gmock/gmock.h>

#include "voxloom/jobs/child_message.h"
#include "voxloom/jobs/process_identity.h"

#include "backend.h"

using namespace voxloom;        // NOLINT(*-using-namespace)
using namespace voxloom::jobs;  // NOLINT(*-using-namespace)
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::vector<std::string> keys(const Json& json) {
  std::vector<std::string> list;
  for (const auto& [key, value] : json.items()) list.push_back(key);
  return list;
}

bool is_time_stamp(const Json& json) {
  static const std::regex pattern(R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)");
  return json.is_string() && std::regex_match(json.get<std::string>(), pattern);
}

const std::string kDead = "host/boot/space";  // what process_identity never gives

}  // namespace

class JobStoreTest : public DatabaseFixture {
 protected:
  void SetUp() override {
    DatabaseFixture::SetUp();
    if (!IsSkipped()) store_ = std::make_unique<JobStore>(database_, "here");
  }
  std::string self_ = process_identity();
  std::unique_ptr<JobStore> store_;
};

TEST_F(JobStoreTest, EverythingOfAJobIsKept) {
  auto job = store_->add("train", Json{{"epochs", 3}, {"name", "a'b"}}, self_);
  EXPECT_TRUE(std::regex_match(
      job.id, std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
  job.status = JobStatus::kRunning;
  job.start_ms = 1700000000000;
  job.attempts = 2;
  job.progress = 0.25;
  job.log("first");
  job.log("second \xc3\xa4");
  job.result = Json{{"dice", 0.9}};
  EXPECT_TRUE(store_->save(job, self_));
  const auto found = JobStore(database_, "here").find(job.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(job_json(*found), job_json(job));
  EXPECT_FALSE(JobStore(database_, "elsewhere").find(job.id));
  EXPECT_FALSE(store_->save(job, "another owner"));
}

TEST_F(JobStoreTest, JobsOfAKindComeInTheirOrder) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(store_->add("train", Json(i), self_).id);
  store_->add("scoring", Json::object(), self_);
  const auto list = store_->list("train", 3);
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].id, ids[2]);
  EXPECT_EQ(list[2].id, ids[4]);
  EXPECT_EQ(store_->latest("train")->id, ids[4]);
  EXPECT_FALSE(store_->latest("batch_infer"));
}

TEST_F(JobStoreTest, UnfinishedJobsOfTheDeadAreAdoptedOnce) {
  const auto dead = store_->add("train", Json::object(), kDead);
  const auto nobodys = store_->add("train", Json::object(), "");
  const auto mine = store_->add("train", Json::object(), self_);
  auto finished = store_->add("train", Json::object(), kDead);
  finished.status = JobStatus::kDone;
  store_->save(finished, kDead);
  const auto adopted = store_->adopt("new owner");
  ASSERT_EQ(adopted.size(), 2U);
  EXPECT_EQ(adopted[0].id, dead.id);
  EXPECT_EQ(adopted[1].id, nobodys.id);
  EXPECT_TRUE(store_->save(dead, "new owner"));
  EXPECT_FALSE(store_->save(dead, kDead));  // were it alive after all
  EXPECT_TRUE(store_->save(mine, self_));
}

TEST_F(JobStoreTest, OwnersOnOtherMachinesHaveTimeToAnswer) {
  const std::string far = "another-machine/boot/space/1/1";
  store_->add("train", Json::object(), far);
  EXPECT_TRUE(store_->adopt(self_).empty());
  database_->run("UPDATE voxloom_jobs SET alive_ms = 1");
  store_->mark_alive(far);
  EXPECT_TRUE(store_->adopt(self_).empty());
  database_->run("UPDATE voxloom_jobs SET alive_ms = 1");
  EXPECT_EQ(store_->adopt(self_).size(), 1U);
}

TEST_F(JobStoreTest, OldHistoryIsRemovedAndUnfinishedJobsAreNot) {
  for (int i = 0; i < 4; ++i) {
    auto job = store_->add("train", Json::object(), self_);
    if (i == 0) continue;
    job.status = JobStatus::kDone;
    store_->save(job, self_);
  }
  EXPECT_EQ(store_->prune("train", 2), 1);
  const auto list = store_->list("train");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].status, JobStatus::kSubmitted);
}

TEST(TaskJsonTest, HasTheFieldsOfTheProtocolInTheirOrder) {
  JobRecord job;
  job.id = "x";
  job.request = Json{{"model", "m"}};
  job.submitted_ms = 1700000000000;
  EXPECT_THAT(keys(task_json(job)), ElementsAre("id", "status", "request", "start_ts"));
  EXPECT_EQ(task_json(job).at("status"), "SUBMITTED");
  EXPECT_TRUE(is_time_stamp(task_json(job).at("start_ts")));

  job.status = JobStatus::kRunning;
  job.start_ms = 1700000001000;
  EXPECT_THAT(keys(task_json(job)), ElementsAre("id", "status", "request", "start_ts", "details"));
  EXPECT_FALSE(task_json(job).at("details").empty());  // clients read the last line

  job.status = JobStatus::kStopped;
  job.end_ms = 1700000002000;
  job.log("stopped");
  EXPECT_THAT(keys(task_json(job)),
              ElementsAre("id", "status", "request", "start_ts", "details", "end_ts"));
  EXPECT_EQ(task_json(job).at("details"), Json::array({"stopped"}));
  EXPECT_TRUE(is_time_stamp(task_json(job).at("end_ts")));
}

TEST(TaskJsonTest, ClientsSeeALostJobAsAnErrorAndWeDoNot) {
  JobRecord job;
  job.status = JobStatus::kLost;
  EXPECT_EQ(task_json(job).at("status"), "ERROR");
  EXPECT_EQ(job_json(job).at("status"), "LOST");
}

TEST(JobRecordTest, KeepsTheLastTwentyLinesOfBoundedLength) {
  JobRecord job;
  for (int i = 0; i < 30; ++i) job.log(std::to_string(i));
  ASSERT_EQ(job.details.size(), 20U);
  EXPECT_EQ(job.details.front(), "10");
  job.log(std::string(100000, 'x'));
  EXPECT_EQ(job.details.size(), 20U);
  EXPECT_LE(job.details.back().size(), 2000U);
  job.log("\xff\n");
  EXPECT_EQ(job.details.back(), "??");
}

TEST(ProcessIdentityTest, TellsTheLivingFromTheDead) {
  const std::string self = process_identity();
  EXPECT_EQ(liveness(self), Liveness::kAlive);
  EXPECT_EQ(liveness(self + "0"), Liveness::kDead);  // the number again, another start
  EXPECT_EQ(liveness("other/" + self.substr(self.find('/') + 1)), Liveness::kUnknown);
  const size_t host = self.find('/');
  EXPECT_EQ(liveness(self.substr(0, host) + "/another-boot/s/1/1"), Liveness::kDead);
  EXPECT_EQ(liveness(""), Liveness::kDead);
}

TEST(ChildMessageTest, ReadsProgressMessageAndResult) {
  auto message = parse_child_line(R"({"progress": 0.5, "message": "half"})");
  EXPECT_EQ(message.progress, 0.5);
  EXPECT_EQ(message.text, "half");
  EXPECT_FALSE(message.result);
  message = parse_child_line(R"({"result": {"a": [1]}})");
  EXPECT_EQ(message.result->dump(), R"({"a":[1]})");
  EXPECT_FALSE(message.text);
  EXPECT_EQ(parse_child_line(R"({"progress": 7})").progress, 1.0);
  EXPECT_EQ(parse_child_line(R"({"progress": -1})").progress, 0.0);
}

TEST(ChildMessageTest, EverythingElseIsText) {
  for (const std::string line : {"plain",
                                 "{broken",
                                 "[1, 2]",
                                 "{}",
                                 R"({"other": 1})",
                                 R"({"progress": "x"})",
                                 R"({"progress": 1e999})",
                                 "{\"result\": \"\xff\"}"}) {
    const auto message = parse_child_line(line);
    EXPECT_EQ(message.text, line);
    EXPECT_FALSE(message.progress) << line;
    EXPECT_FALSE(message.result) << line;
  }
  const std::string deep = R"({"result": )" + std::string(100000, '[');
  EXPECT_EQ(parse_child_line(deep).text, deep);
  const std::string closed =
      R"({"result": )" + std::string(1000, '[') + std::string(1000, ']') + "}";
  EXPECT_EQ(parse_child_line(closed).text, closed);
}
