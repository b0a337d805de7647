// A run that is killed again and again ends with the same bytes as one that is left alone.

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/random.h"
#include "voxloom/weights/fingerprint.h"
#include "voxloom/weights/safetensors.h"

#include "temporary_folder.h"

extern char** environ;

namespace voxloom::train {
namespace {

/// Whether the child came to its end (false: it was killed).
bool train(const std::filesystem::path& folder, int64_t kill_at_batch, int64_t kill_after_us) {
  std::vector<std::string> arguments{VOXLOOM_TRAIN_CHILD,
                                     folder.string(),
                                     std::to_string(kill_at_batch),
                                     std::to_string(kill_after_us)};
  std::vector<char*> list;
  for (std::string& argument : arguments) list.push_back(argument.data());
  list.push_back(nullptr);
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, list[0], nullptr, nullptr, list.data(), environ), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return false;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  return true;
}

std::string tensors_of(const std::filesystem::path& file) {
  return weights::fingerprint(weights::read_safetensors(file).tensors).weights_sha256;
}

void expect_same_run(const std::filesystem::path& a, const std::filesystem::path& b) {
  EXPECT_EQ(read_text_file(a / "metrics.jsonl"), read_text_file(b / "metrics.jsonl"));
  for (const char* name : {"checkpoints/last.safetensors",
                           "checkpoints/best.safetensors",
                           "model/weights.safetensors"}) {
    EXPECT_EQ(tensors_of(a / name), tensors_of(b / name)) << name;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(b / "checkpoints"), {}), 2);
}

TEST(ResumeTest, ARunKilledAtRandomBatchesGivesTheUnbrokenRun) {
  const TemporaryFolder folder;
  ASSERT_TRUE(train(folder.path() / "whole", 0, 0));
  Rng rng(2024);
  int kills = 0;
  // The child counts the batches of its own life. At least 7 of them bring the run to a checkpoint.
  while (!train(folder.path() / "killed", 7 + static_cast<int64_t>(rng.below(14)), 0)) {
    ASSERT_LT(++kills, 40);
  }
  EXPECT_GE(kills, 3);
  expect_same_run(folder.path() / "whole", folder.path() / "killed");
}

TEST(ResumeTest, ARunKilledAtAnyMomentGivesTheUnbrokenRun) {
  const TemporaryFolder folder;
  ASSERT_TRUE(train(folder.path() / "whole", 0, 0));
  Rng rng(77);
  // Moments that fall into writing, validating and starting too. How far a life gets depends on
  // the machine, so the lives grow; the last one is not cut.
  for (int life = 0; life < 8; ++life) {
    const auto us = static_cast<int64_t>(rng.uniform(1000, 40000.0 * (1 + life)));
    if (train(folder.path() / "killed", 0, us)) break;
  }
  ASSERT_TRUE(train(folder.path() / "killed", 0, 0));
  expect_same_run(folder.path() / "whole", folder.path() / "killed");
}

}  // namespace
}  // namespace voxloom::train
