#include "voxloom/train/run.h"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/train/checkpoint.h"
#include "voxloom/train/training_state.h"

#include "temporary_folder.h"

namespace voxloom::train {
namespace {

using testing::HasSubstr;
using TrainingRun = train::Run;  // testing::Test has a member of that name

RunInfo make_info(double lr = 0.1, double checkpoint_s = 10) {
  RunInfo info;
  info.command_line = "voxloom wire train";
  info.version = "1.2.3";
  info.data_fingerprint = "abc";
  info.threads = 2;
  info.options = {{"lr", lr}, {"metric", "dice"}, {"checkpoint_every_s", checkpoint_s}};
  info.speed_only = {"checkpoint_every_s"};
  return info;
}

template <class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(RunTest, SecondCreateIsRefusedWithAHint) {
  const TemporaryFolder folder;
  {
    const TrainingRun run =
        TrainingRun::create(folder.path() / "a", make_info(), Overwrite::kRefuse);
  }
  EXPECT_THAT(message_of([&] {
                (void)TrainingRun::create(folder.path() / "a", make_info(), Overwrite::kRefuse);
              }),
              HasSubstr("use --resume to go on with it or --force to start again"));
}

TEST(RunTest, ForceRemovesTheOldRunAndNothingElse) {
  const TemporaryFolder folder;
  {
    TrainingRun run = TrainingRun::create(folder.path(), make_info(), Overwrite::kRefuse);
    run.metrics().append({{"step", 1}});
    std::ofstream(run.last_checkpoint()) << "x";
    std::ofstream(folder.path() / "events.out.tfevents.1.2") << "x";
    std::ofstream(folder.path() / "notes.txt") << "mine";
  }
  TrainingRun run = TrainingRun::create(folder.path(), make_info(), Overwrite::kReplace);
  EXPECT_FALSE(std::filesystem::exists(run.last_checkpoint()));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "events.out.tfevents.1.2"));
  EXPECT_EQ(run.metrics().sync(), 0);
  EXPECT_EQ(read_text_file(folder.path() / "notes.txt"), "mine");
}

TEST(RunTest, ResumeNamesEveryOptionThatChanged) {
  const TemporaryFolder folder;
  { const TrainingRun run = TrainingRun::create(folder.path(), make_info(), Overwrite::kRefuse); }
  RunInfo other = make_info(0.2, 99);
  other.data_fingerprint = "xyz";
  const std::string message = message_of([&] { (void)TrainingRun::resume(folder.path(), other); });
  EXPECT_THAT(message, HasSubstr("lr was 0.1 and is 0.2"));
  EXPECT_THAT(message, HasSubstr("data_fingerprint was \"abc\" and is \"xyz\""));
  EXPECT_THAT(message, testing::Not(HasSubstr("checkpoint_every_s")));
}

TEST(RunTest, ResumeMayChangeWhatOnlyConcernsSpeed) {
  const TemporaryFolder folder;
  { const TrainingRun run = TrainingRun::create(folder.path(), make_info(), Overwrite::kRefuse); }
  EXPECT_EQ(message_of([&] { (void)TrainingRun::resume(folder.path(), make_info(0.1, 99)); }),
            "no error");
}

TEST(RunTest, ResumeWithoutARunIsRefused) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of([&] { (void)TrainingRun::resume(folder.path(), make_info()); }),
              HasSubstr("must hold run.yaml to resume, got none"));
}

TEST(RunTest, TwoProcessesCannotTrainInOneFolder) {
  const TemporaryFolder folder;
  const TrainingRun run = TrainingRun::create(folder.path(), make_info(), Overwrite::kRefuse);
  EXPECT_THAT(message_of([&] { (void)TrainingRun::resume(folder.path(), make_info()); }),
              HasSubstr("got another process that trains there"));
}

TEST(MetricsLogTest, TruncateDropsLaterLinesAndRefusesAShorterFile) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  MetricsLog log(path);
  log.append({{"step", 1}});
  const int64_t size = log.sync();
  log.append({{"step", 2}});
  log.truncate(size);
  log.append({{"step", 3}});
  const auto lines = read_metrics(path);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1]["step"], 3);
  EXPECT_THAT(message_of([&] { log.truncate(1000); }), HasSubstr("1000 bytes of the checkpoint"));
}

TEST(MetricsLogTest, ReadingLeavesOutALineCutShort) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  std::ofstream(path) << "{\"step\":1}\n{\"step\":2";
  EXPECT_EQ(read_metrics(path).size(), 1U);
}

TEST(TrainingStateTest, ComesBackExactlyAndNamesWhatIsMissing) {
  TrainingState state;
  state.step = 12;
  state.best_value = 0.1 + 0.2;
  state.window_loss = NAN;
  state.best_metrics = {{"dice", 1.0 / 3.0}};
  auto json = state.to_json();
  const TrainingState back =
      TrainingState::from_json(nlohmann::ordered_json::parse(json.dump()), "file");
  EXPECT_EQ(back.step, 12);
  EXPECT_EQ(back.best_value, state.best_value);
  EXPECT_EQ(back.best_metrics, state.best_metrics);
  EXPECT_TRUE(std::isnan(back.window_loss));
  json.erase("plateau_drops");
  EXPECT_THAT(message_of([&] { (void)TrainingState::from_json(json, "file"); }),
              HasSubstr("plateau_drops"));
}

TEST(CheckpointTest, TensorsAndStateComeBack) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.safetensors";
  const at::Tensor weight = torch::randn({3, 4}).t();  // not contiguous
  save_checkpoint(path, {{"step", 5}}, {{"network", {{"w", weight}}}, {"ema", {}}});
  const CheckpointFile file(path);
  EXPECT_EQ(file.state()["step"], 5);
  const at::Tensor target = torch::zeros({3, 4}).t();
  file.copy_to("network", {{"w", target}});
  EXPECT_TRUE(torch::equal(target, weight));
}

TEST(CheckpointTest, AnotherNetworkIsRefusedWithAllProblems) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.safetensors";
  save_checkpoint(
      path, {{"step", 5}}, {{"network", {{"w", torch::ones(2)}, {"v", torch::ones(1)}}}});
  const CheckpointFile file(path);
  const at::Tensor target = torch::zeros(3);
  const std::string message = message_of([&] {
    file.copy_to("network", {{"w", target}, {"u", target}});
  });
  EXPECT_THAT(message, HasSubstr("a.safetensors"));
  EXPECT_THAT(message, HasSubstr("'network.u'"));
  EXPECT_THAT(message, HasSubstr("'network.v'"));
  EXPECT_THAT(message, HasSubstr("'network.w' must be [3], got [2]"));
  const at::Tensor integers = torch::zeros({2}, torch::kLong), one = torch::zeros(1);
  EXPECT_THAT(message_of([&] {
                file.copy_to("network", {{"w", integers}, {"v", one}});
              }),
              HasSubstr("'w' must be of type Long, got Float"));
}

TEST(CheckpointTest, DamagedFilesAreRefused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.safetensors";
  save_checkpoint(path, {{"step", 5}}, {{"network", {{"w", torch::ones(100)}}}});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 7);
  EXPECT_THAT(message_of([&] { (void)CheckpointFile(path); }), HasSubstr("a.safetensors"));
}

TEST(CheckpointTest, AFullDiskIsAClearErrorAndTheOldFileStays) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.safetensors";
  save_checkpoint(path, {{"step", 1}}, {{"network", {{"w", torch::ones(10)}}}});
  // A limit on the size of files makes writes fail as a full disk does; in a child, because the
  // limit would hit the test's own files.
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = message_of([&] {
      save_checkpoint(path, {{"step", 2}}, {{"network", {{"w", torch::ones(10000)}}}});
    });
    ::_exit(message.starts_with("checkpoint: output '" + path.string() + "': cannot be written")
                ? 0
                : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(CheckpointFile(path).state()["step"], 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace voxloom::train
