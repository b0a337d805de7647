#include "voxloom/core/log.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace voxloom {
namespace {

class LogRouteTest : public ::testing::Test {
 protected:
  ~LogRouteTest() override { set_log_route({}); }
};

TEST_F(LogRouteTest, SinkGetsLevelAndTextInsteadOfStandardError) {
  std::vector<std::string> lines;
  set_log_route({.sink =
                     [&](LogLevel level, std::string_view text) {
                       lines.push_back(std::to_string(static_cast<int>(level)) + std::string(text));
                     },
                 .filter = {},
                 .standard_error = false});
  ::testing::internal::CaptureStderr();
  VOXLOOM_LOG_WARN("lines: {}", 2);
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines, std::vector<std::string>{"2lines: 2"});
  EXPECT_EQ(printed, "");
}

TEST_F(LogRouteTest, FilterChangesWhatStandardErrorAndSinkSee) {
  std::string seen;
  set_log_route({.sink = [&](LogLevel, std::string_view text) { seen = text; },
                 .filter = [](std::string_view) { return std::string("hidden"); },
                 .standard_error = true});
  ::testing::internal::CaptureStderr();
  VOXLOOM_LOG_ERROR("secret");
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(seen, "hidden");
  EXPECT_NE(printed.find("hidden"), std::string::npos);
  EXPECT_EQ(printed.find("secret"), std::string::npos);
}

TEST_F(LogRouteTest, SinkThatLogsDoesNotCallItself) {
  int calls = 0;
  set_log_route({.sink =
                     [&](LogLevel, std::string_view) {
                       ++calls;
                       VOXLOOM_LOG_ERROR("from inside");
                     },
                 .filter = {},
                 .standard_error = false});
  ::testing::internal::CaptureStderr();
  VOXLOOM_LOG_ERROR("outside");
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(calls, 1);
  EXPECT_NE(printed.find("from inside"), std::string::npos);
}

TEST_F(LogRouteTest, SinkThatThrowsDoesNotReachTheCaller) {
  set_log_route({.sink = [](LogLevel, std::string_view) { throw std::runtime_error("full"); },
                 .filter = {},
                 .standard_error = false});
  ::testing::internal::CaptureStderr();
  EXPECT_NO_THROW(VOXLOOM_LOG_ERROR("text"));
  ::testing::internal::GetCapturedStderr();
}

TEST_F(LogRouteTest, FormerSinkIsNeverCalledAfterSetReturns) {
  set_log_route({.sink = {}, .filter = {}, .standard_error = false});
  std::atomic<bool> go{true};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (go) VOXLOOM_LOG_ERROR("line");
    });
  }
  std::atomic<int> calls{0};
  for (int round = 0; round < 50; ++round) {
    auto alive = std::make_unique<std::atomic<bool>>(true);
    set_log_route({.sink =
                       [&calls, flag = alive.get()](LogLevel, std::string_view) {
                         EXPECT_TRUE(flag->load());
                         ++calls;
                       },
                   .filter = {},
                   .standard_error = false});
    std::this_thread::yield();
    set_log_route(
        {.sink = [](LogLevel, std::string_view) {}, .filter = {}, .standard_error = false});
    alive->store(false);
  }
  go = false;
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace voxloom
