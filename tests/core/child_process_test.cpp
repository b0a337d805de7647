#include "voxloom/core/child_process.h"

#include <csignal>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/line_splitter.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using End = ChildResult::End;

namespace {

struct Outcome {
  std::vector<std::string> out, err;
  ChildResult result;
};

Outcome run(ChildOptions options, const CancelToken& stop = {}) {
  Outcome outcome;
  options.on_line = [&](ChildStream stream, std::string_view line) {
    (stream == ChildStream::kOut ? outcome.out : outcome.err).emplace_back(line);
  };
  outcome.result = run_child(options, stop);
  return outcome;
}

Outcome shell(const std::string& script) {
  return run({.argv = {"sh", "-c", script}});
}

bool alive(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

/// Zombies of processes that are not our children are removed by whoever adopted them.
bool gone_soon(pid_t pid) {
  for (int i = 0; i < 2000; ++i) {
    std::ifstream stat(format("/proc/{}/stat", pid));
    std::string text;
    std::getline(stat, text);
    if (!alive(pid) || text.find(") Z") != std::string::npos) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

}  // namespace

TEST(ChildProcessTest, HandsOnLinesOfBothStreamsAndTheStatus) {
  const Outcome child = shell("echo one; echo two >&2; printf three; exit 3");
  EXPECT_THAT(child.out, ElementsAre("one", "three"));
  EXPECT_THAT(child.err, ElementsAre("two"));
  EXPECT_EQ(child.result.end, End::kExited);
  EXPECT_EQ(child.result.exit_code, 3);
  EXPECT_FALSE(child.result.ok());
  EXPECT_EQ(child.result.words(), "ended with status 3");
  EXPECT_TRUE(shell("true").result.ok());
}

TEST(ChildProcessTest, NoShellReadsTheArguments) {
  const Outcome child = run({.argv = {"printf", "%s\\n", "$HOME; *", "a b"}});
  EXPECT_THAT(child.out, ElementsAre("$HOME; *", "a b"));
}

TEST(ChildProcessTest, EnvironmentAndFolderAreTheChildsOwn) {
  ::setenv("VOXLOOM_TEST_A", "old", 1);
  const Outcome child = run({.argv = {"sh", "-c", "echo $VOXLOOM_TEST_A $VOXLOOM_TEST_B; pwd"},
                             .environment = {{"VOXLOOM_TEST_A", "new"}, {"VOXLOOM_TEST_B", "b"}},
                             .folder = "/"});
  EXPECT_THAT(child.out, ElementsAre("new b", "/"));
  EXPECT_STREQ(::getenv("VOXLOOM_TEST_A"), "old");
}

TEST(ChildProcessTest, HasNoInputAndNoFilesOfTheParent) {
  EXPECT_THAT(shell("cat; echo end").out, ElementsAre("end"));
  const int fd = ::dup(0);  // without close-on-exec
  const Outcome child = shell("ls /proc/self/fd");
  ::close(fd);
  // 3 is the folder that ls reads.
  EXPECT_THAT(child.out, UnorderedElementsAre("0", "1", "2", "3"));
}

TEST(ChildProcessTest, SignalsAreToldInWords) {
  const Outcome child = shell("kill -9 $$");
  EXPECT_EQ(child.result.end, End::kSignalled);
  EXPECT_EQ(child.result.words(), "was ended by signal 9 (Killed)");
}

TEST(ChildProcessTest, WhatCannotBeStartedIsExplained) {
  const auto message = [](ChildOptions options) -> std::string {
    try {
      static_cast<void>(run_child(options, {}));
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kNotFound) << e.what();
      return e.what();
    }
    return "";
  };
  EXPECT_THAT(message({.argv = {"no-such-program"}}), HasSubstr("'no-such-program'"));
  EXPECT_THAT(message({.argv = {"/no/such"}}), HasSubstr("'/no/such'"));
  EXPECT_THAT(message({.argv = {"true"}, .folder = "/no/folder"}), HasSubstr("'/no/folder'"));
  EXPECT_THROW(static_cast<void>(run_child({}, {})), Error);
}

TEST(ChildProcessTest, StopEndsItWithSigtermFirst) {
  CancelToken stop;
  std::vector<std::string> lines;
  ChildOptions options{.argv = {"sh",
                                "-c",
                                "trap 'echo asked; exit 0' TERM; echo ready; while :; "
                                "do sleep 0.01; done"}};
  // The whole group gets the signal; a shell may then say on its error stream that `sleep` was
  // "Terminated", or not, depending on where the signal met it.
  options.on_line = [&](ChildStream stream, std::string_view line) {
    if (stream != ChildStream::kOut) return;
    lines.emplace_back(line);
    if (line == "ready") stop.cancel();
  };
  const auto result = run_child(options, stop);
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_THAT(lines, ElementsAre("ready", "asked"));
}

TEST(ChildProcessTest, WhoDoesNotListenIsKilled) {
  CancelToken stop;
  ChildOptions options{
      .argv = {"sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"},
      .grace = 50ms};
  options.on_line = [&](ChildStream, std::string_view) { stop.cancel(); };
  const auto result = run_child(options, stop);
  EXPECT_EQ(result.end, End::kStopped);
  EXPECT_EQ(result.signal, SIGKILL);
}

TEST(ChildProcessTest, OneThatNeverStopsTalkingCanBeStopped) {
  CancelToken stop;
  ChildOptions options{.argv = {"yes"}};
  options.on_line = [&](ChildStream, std::string_view) { stop.cancel(); };
  EXPECT_EQ(run_child(options, stop).end, End::kStopped);
}

TEST(ChildProcessTest, TimeIsLimited) {
  const Outcome child = run({.argv = {"sleep", "600"}, .timeout = 20ms});
  EXPECT_EQ(child.result.end, End::kTimedOut);
  EXPECT_THAT(child.result.words(), HasSubstr("longer"));
}

TEST(ChildProcessTest, ATickMayStopIt) {
  ChildOptions options{.argv = {"sleep", "600"}};
  int ticks = 0;
  options.on_tick = [&] { return ++ticks < 2; };
  EXPECT_EQ(run_child(options, {}).end, End::kStopped);
  EXPECT_EQ(ticks, 2);
}

TEST(ChildProcessTest, ItsOwnChildrenDoNotOutliveIt) {
  const Outcome child = shell("sleep 600 & echo $!");
  ASSERT_EQ(child.out.size(), 1U);
  EXPECT_TRUE(gone_soon(std::stoi(child.out[0])));
}

TEST(ChildProcessTest, AnExceptionOfTheCallbackEndsTheChild) {
  pid_t pid = 0;
  ChildOptions options{.argv = {"sh", "-c", "echo $$; exec sleep 600"}};
  options.on_line = [&](ChildStream, std::string_view line) {
    pid = std::stoi(std::string(line));
    throw std::runtime_error("enough");
  };
  EXPECT_THROW(run_child(options, {}), std::runtime_error);
  EXPECT_FALSE(alive(pid));
}

TEST(ChildProcessTest, DiesWithItsParent) {
  const std::string file = testing::TempDir() + "/grandchild";
  std::remove(file.c_str());
  const pid_t parent = ::fork();
  if (parent == 0) {
    static_cast<void>(run_child(
        {.argv = {"sh",
                  "-c",
                  "echo $$ >" + file + ".new; mv " + file + ".new " + file + "; exec sleep 600"}},
        {}));
    std::_Exit(0);
  }
  int pid = 0;
  while (pid == 0) {
    std::ifstream in(file);
    in >> pid;
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(alive(pid));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_TRUE(gone_soon(pid));
}

TEST(ChildProcessTest, ManyThreadsMayRunChildren) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        const Outcome child = run({.argv = {"echo", std::to_string(i * 100 + k)}});
        if (child.out == std::vector<std::string>{std::to_string(i * 100 + k)}) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

namespace {

std::vector<std::string> split(const std::vector<std::string>& parts, size_t max_bytes = 100) {
  std::vector<std::string> lines;
  LineSplitter splitter(max_bytes, [&](std::string_view line) { lines.emplace_back(line); });
  for (const auto& part : parts) splitter.feed(part);
  splitter.finish();
  return lines;
}

}  // namespace

TEST(LineSplitterTest, LinesDoNotDependOnTheParts) {
  EXPECT_THAT(split({"a\nb", "c\r\n", "\n", "10%\r20%\r", "end"}),
              ElementsAre("a", "bc", "10%", "20%", "end"));
  EXPECT_THAT(split({}), ElementsAre());
}

TEST(LineSplitterTest, LongLinesAreCutAndSaySo) {
  EXPECT_THAT(split({std::string(50, 'x'), std::string(50, 'y'), "\nshort\n"}, 20),
              ElementsAre(std::string(17, 'x') + "...", "short"));
  EXPECT_THAT(split({std::string(20, 'x') + "\n"}, 20), ElementsAre(std::string(20, 'x')));
}

TEST(LineSplitterTest, WhatIsNoTextIsReplaced) {
  EXPECT_EQ(clean_text("\xc3\xa4\t\xe2\x82\xac \xf0\x9f\x98\x80"),
            "\xc3\xa4\t\xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(clean_text(std::string_view("a\0b\x1b[1m", 7)), "a?b?[1m");
  EXPECT_EQ(clean_text("\xff\xc3"), "??");
  EXPECT_EQ(clean_text("\xc0\xaf"), "??");            // overlong
  EXPECT_EQ(clean_text("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(clean_text("\xf4\x90\x80\x80"), "????");  // beyond U+10FFFF
}
