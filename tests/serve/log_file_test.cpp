#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/log/file.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

class LogFileTest : public ::testing::Test {
 protected:
  LogFileTest() {
    std::string name = (fs::temp_directory_path() / "voxloom-log-XXXXXX").string();
    folder_ = fs::path(::mkdtemp(name.data())) / "logs";
  }
  ~LogFileTest() override { fs::remove_all(folder_.parent_path()); }

  static void publish(LogHub& hub, uint64_t n) {
    LogRecord record(LogLevel::kInfo, "test");
    record.request(n);
    hub.publish(record);
  }
  static std::vector<http::Json> read(const fs::path& path) {
    std::vector<http::Json> records;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) records.push_back(http::Json::parse(line));
    return records;
  }

  fs::path folder_;
};

TEST_F(LogFileTest, WritesEveryRecordAndGoesOnInTheSameFile) {
  LogHub hub;
  for (int round = 0; round < 2; ++round) {
    const LogFile file(hub, {.folder = folder_});
    for (uint64_t i = 1; i <= 100; ++i) publish(hub, i);
  }
  const auto records = read(folder_ / "voxloom.log");
  ASSERT_EQ(records.size(), 200U);
  EXPECT_EQ(records.back().at("request"), 100);
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "voxloom.log").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(LogFileTest, RotatesBySizeAndKeepsTheNewestFiles) {
  LogHub hub;
  for (int round = 0; round < 40; ++round) {
    // Each end writes what waits: batches are small.
    const LogFile file(hub, {.folder = folder_, .max_bytes = 4096, .max_files = 3});
    for (uint64_t i = 1; i <= 20; ++i) publish(hub, static_cast<uint64_t>(round) * 20 + i);
  }
  uint64_t expected = 800;
  for (const char* name : {"voxloom.log", "voxloom.1.log", "voxloom.2.log"}) {
    EXPECT_LE(fs::file_size(folder_ / name), 4096U) << name;
    const auto records = read(folder_ / name);
    ASSERT_FALSE(records.empty());
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
      EXPECT_EQ(record->at("request"), expected--);  // newest first, without a gap
    }
  }
  EXPECT_FALSE(fs::exists(folder_ / "voxloom.3.log"));
}

TEST_F(LogFileTest, FullDiskLosesLinesCountsThemAndSaysSoLater) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto wait_for_loss = [](const LogFile& file) {
    while (file.lost_lines() == 0) std::this_thread::yield();
  };
  LogHub hub;
  {
    const LogFile file(hub, {.folder = folder_});
    const rlimit small{150, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    for (uint64_t i = 1; i <= 3; ++i) publish(hub, i);
    wait_for_loss(file);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    for (uint64_t i = 4; i <= 5; ++i) publish(hub, i);
  }
  // Every line is whole, and one says what is missing.
  const auto records = read(folder_ / "voxloom.log");
  uint64_t lost = 0, kept = 0;
  for (const auto& record : records) {
    if (record.at("event") == "lost") {
      lost += record.at("fields").at("lines").get<uint64_t>();
    } else {
      ++kept;
    }
  }
  EXPECT_GE(lost, 1U);
  EXPECT_EQ(lost + kept, 5U);
}

TEST_F(LogFileTest, FolderThatCannotBeMadeIsAnErrorAtStart) {
  LogHub hub;
  std::ofstream(folder_) << "a file";
  EXPECT_THROW(LogFile(hub, {.folder = folder_}), Error);
}

}  // namespace
}  // namespace voxloom::serve
