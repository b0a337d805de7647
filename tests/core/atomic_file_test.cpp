#include "voxloom/core/atomic_file.h"

#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "voxloom/core/error.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  fs::path folder_;
};

TEST_F(AtomicFileTest, AppearsOnlyAtCommit) {
  AtomicFile file(folder_ / "a.txt", Overwrite::kRefuse);
  file.write("hello");
  EXPECT_FALSE(fs::exists(folder_ / "a.txt"));
  file.commit();
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "hello");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFileTest, AppearsOnlyAtCommitWithoutSyncToo) {
  AtomicFile file(folder_ / "a.txt", Overwrite::kRefuse, Sync::kNo);
  file.write("hello");
  EXPECT_FALSE(fs::exists(folder_ / "a.txt"));
  file.commit();
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "hello");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
  { AtomicFile(folder_ / "a.txt", Overwrite::kRefuse).write("half"); }
  EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicFileTest, RefusesAnExistingOutputAndKeepsIt) {
  {
    AtomicFile file(folder_ / "a.txt", Overwrite::kRefuse);
    file.write("old");
    file.commit();
  }
  EXPECT_THAT([&] { AtomicFile(folder_ / "a.txt", Overwrite::kRefuse); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("use --force to overwrite")));
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "old");
  AtomicFile replacement(folder_ / "a.txt", Overwrite::kReplace);
  replacement.write("new");
  replacement.commit();
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "new");
}

TEST_F(AtomicFileTest, RefusesAFileThatAppearedMeanwhile) {
  AtomicFile mine(folder_ / "a.txt", Overwrite::kRefuse);
  AtomicFile other(folder_ / "a.txt", Overwrite::kRefuse);
  mine.write("mine");
  other.write("other");
  other.commit();
  EXPECT_THROW(mine.commit(), Error);
  EXPECT_EQ(read_text_file(folder_ / "a.txt"), "other");
}

TEST_F(AtomicFileTest, NamesTheMissingFolder) {
  EXPECT_THAT([&] { AtomicFile(folder_ / "no" / "a.txt", Overwrite::kRefuse); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("its folder does not exist")));
}

TEST_F(AtomicFileTest, SaysThatTheDiskIsFullAndLeavesNothing) {
  // A limit on the file size fails in write() as a full disk does.
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 16;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    AtomicFile file(folder_ / "b.txt", Overwrite::kRefuse);
    file.write(std::string(100, 'x'));
  } catch (const Error& e) {
    message = e.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, testing::HasSubstr("b.txt': cannot be written: File too large"));
  EXPECT_EQ(files(), 0U);
}
