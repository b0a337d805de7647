#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/log/gpu_report.h"
#include "voxloom/serve/log/hub.h"
#include "voxloom/serve/log/routes.h"

namespace voxloom::serve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void publish(LogHub& hub, int n, LogLevel level = LogLevel::kInfo, const char* client = "") {
  LogRecord record(level, "test");
  record.request(static_cast<uint64_t>(n)).client(client);
  hub.publish(record);
}

std::vector<int> numbers(const std::vector<LogSubscription::Line>& lines) {
  std::vector<int> list;
  for (const auto& line : lines) list.push_back(http::Json::parse(*line).value("request", -1));
  return list;
}

TEST(LogHubTest, SubscriberGetsTheBacklogThenEverythingOnce) {
  LogHub hub;
  for (int i = 1; i <= 5; ++i) publish(hub, i);
  int ready = 0;
  const auto all = hub.subscribe({{}, 3}, [&] { ++ready; });
  EXPECT_EQ(all->backlog(), 3U);
  publish(hub, 6);
  EXPECT_EQ(ready, 0);  // it was not empty
  EXPECT_THAT(numbers(all->take()), ElementsAre(3, 4, 5, 6));
  publish(hub, 7);
  publish(hub, 8);
  EXPECT_EQ(ready, 1);
  EXPECT_THAT(numbers(all->take(1)), ElementsAre(7));
  EXPECT_THAT(numbers(all->take()), ElementsAre(8));
  EXPECT_THAT(all->take(), IsEmpty());
  all->close();
  publish(hub, 9);
  EXPECT_THAT(all->take(), IsEmpty());
}

TEST(LogHubTest, FiltersByLevelRequestAndClient) {
  LogHub hub;
  publish(hub, 1, LogLevel::kInfo, "anna");
  publish(hub, 2, LogLevel::kWarn, "anna");
  publish(hub, 3, LogLevel::kError, "berta");
  publish(hub, 4, LogLevel::kDebug, "anna");  // below the hub's level
  const auto seen = [&](const LogFilter& filter) { return numbers(hub.tail(0, filter)); };
  EXPECT_THAT(seen({}), ElementsAre(1, 2, 3));
  EXPECT_THAT(seen({LogLevel::kWarn, 0, ""}), ElementsAre(2, 3));
  EXPECT_THAT(seen({LogLevel::kDebug, 3, ""}), ElementsAre(3));
  EXPECT_THAT(seen({LogLevel::kDebug, 0, "anna"}), ElementsAre(1, 2));
  EXPECT_THAT(seen({LogLevel::kDebug, 0, client_label("anna")}), ElementsAre(1, 2));
  EXPECT_THAT(seen({LogLevel::kDebug, 0, "carla"}), IsEmpty());
  EXPECT_THAT(numbers(hub.tail(1, {LogLevel::kDebug, 0, "anna"})), ElementsAre(2));
  hub.set_level(LogLevel::kDebug);
  publish(hub, 5, LogLevel::kDebug);
  EXPECT_THAT(seen({}), ElementsAre(1, 2, 3, 5));
}

TEST(LogHubTest, FilterCanBeChangedForLaterLines) {
  LogHub hub;
  const auto subscription = hub.subscribe({{LogLevel::kError, 0, ""}, 0}, {});
  publish(hub, 1);
  subscription->set_filter({LogLevel::kInfo, 0, ""});
  publish(hub, 2);
  EXPECT_THAT(numbers(subscription->take()), ElementsAre(2));
}

TEST(LogHubTest, SlowReaderLosesTheOldestAndIsToldHowMany) {
  LogHub hub({.records = 100, .bytes = 1 << 20, .queue_records = 3, .queue_bytes = 1 << 20});
  const auto slow = hub.subscribe({}, {});
  for (int i = 1; i <= 10; ++i) publish(hub, i);
  auto lines = slow->take();
  ASSERT_EQ(lines.size(), 4U);
  const auto told = http::Json::parse(*lines[0]);
  EXPECT_EQ(told.at("event"), "dropped");
  EXPECT_EQ(told.at("fields").at("lines"), 7);
  lines.erase(lines.begin());
  EXPECT_THAT(numbers(lines), ElementsAre(8, 9, 10));
  EXPECT_EQ(slow->dropped(), 7U);
  publish(hub, 11);
  EXPECT_THAT(numbers(slow->take()), ElementsAre(11));  // told once
}

TEST(LogHubTest, RingAndQueueAreBoundedInBytesToo) {
  LogHub hub({.records = 1000, .bytes = 500, .queue_records = 1000, .queue_bytes = 500});
  const auto slow = hub.subscribe({}, {});
  for (int i = 1; i <= 100; ++i) publish(hub, i);
  size_t bytes = 0;
  for (const auto& line : hub.tail(0)) bytes += line->size();
  EXPECT_LE(bytes, 500U);
  EXPECT_GT(bytes, 0U);
  EXPECT_GT(slow->dropped(), 90U);
}

TEST(LogHubTest, SubscriptionMayOutliveTheHub) {
  auto hub = std::make_unique<LogHub>();
  const auto subscription = hub->subscribe({}, {});
  publish(*hub, 1);
  hub.reset();
  EXPECT_EQ(subscription->take().size(), 1U);
}

TEST(LogHubTest, ManyThreadsLoseNothingWithinTheLimits) {
  LogHub hub;
  std::atomic<int> ready{0};
  const auto subscription = hub.subscribe({}, [&] { ++ready; });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) publish(hub, i + 1);
    });
  }
  size_t got = 0;
  std::thread reader([&] {
    while (got < 2000) got += subscription->take(1000).size();
  });
  for (auto& thread : threads) thread.join();
  reader.join();
  EXPECT_EQ(got, 2000U);
  EXPECT_GE(ready.load(), 1);
  EXPECT_EQ(hub.published(), 2000U);
  int64_t last = 0;
  for (const auto& line : hub.tail(0)) {
    const auto sequence = http::Json::parse(*line).at("seq").get<int64_t>();
    EXPECT_GT(sequence, last);
    last = sequence;
  }
}

TEST(LogHubTest, CoreLogArrivesScrubbedAndStopsWithTheHub) {
  ::testing::internal::CaptureStderr();
  {
    LogHub hub;
    hub.attach_core_log(true);
    VOXLOOM_LOG_ERROR("volume 'Doe^John' is broken");
    const auto lines = hub.tail(0);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_THAT(*lines[0], HasSubstr("volume '...' is broken"));
  }
  VOXLOOM_LOG_ERROR("after");
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(printed, Not(HasSubstr("Doe")));
  EXPECT_THAT(printed, HasSubstr("after"));
}

TEST(LogHubTest, FiltersAreReadFromJsonWithTheirErrors) {
  const auto request = parse_log_request(
      http::Json::parse(R"({"level":"warn","request":4,"client":"a","backlog":7})"));
  EXPECT_EQ(request.filter.level, LogLevel::kWarn);
  EXPECT_EQ(request.filter.request, 4U);
  EXPECT_EQ(request.filter.client, "a");
  EXPECT_EQ(request.backlog, 7U);
  for (const char* bad : {"[]",
                          "3",
                          R"({"level":"loud"})",
                          R"({"request":-1})",
                          R"({"x":1})",
                          R"({"backlog":"3"})"}) {
    EXPECT_THROW((void)parse_log_request(http::Json::parse(bad)), Error) << bad;
  }
}

/// Keeps what is sent; holds `room` messages at most, as a slow peer does.
class FakeSocket : public http::WebSocket {
 public:
  void send(std::string text) override {
    sent.push_back(std::move(text));
    if (sent.size() > room) {
      sent.erase(sent.begin());
      ++lost;
    }
  }
  [[nodiscard]] uint64_t dropped() const override { return lost; }
  void close() override { closed = true; }

  std::vector<std::string> sent;
  size_t room = 1000;
  uint64_t lost = 0;
  bool closed = false;
};

TEST(LogSocketTest, SendsBacklogThenLiveUntilItCloses) {
  LogHub hub;
  publish(hub, 1);
  auto socket = std::make_shared<FakeSocket>();
  stream_to_websocket(hub, {{}, 10}, socket);
  publish(hub, 2);
  EXPECT_EQ(socket->sent.size(), 2U);
  socket->on_message(R"({"level":"error"})");
  publish(hub, 3);
  EXPECT_EQ(socket->sent.size(), 2U);
  socket->on_message("not json");
  EXPECT_THAT(socket->sent.back(), HasSubstr("refused"));
  socket->on_close();
  publish(hub, 4, LogLevel::kError);
  EXPECT_EQ(socket->sent.size(), 3U);
}

TEST(LogSocketTest, PeerIsToldWhatItMissed) {
  LogHub hub;
  auto socket = std::make_shared<FakeSocket>();
  socket->room = 2;
  for (int i = 1; i <= 5; ++i) publish(hub, i);
  stream_to_websocket(hub, {{}, 10}, socket);
  ASSERT_FALSE(socket->sent.empty());
  const auto last = http::Json::parse(socket->sent.back());
  EXPECT_EQ(last.at("event"), "dropped");
  EXPECT_EQ(last.at("fields").at("lines"), 3);
}

TEST(LogSocketTest, SocketThatWentAwayIsLetGo) {
  LogHub hub;
  auto socket = std::make_shared<FakeSocket>();
  stream_to_websocket(hub, {}, socket);
  const std::weak_ptr<FakeSocket> watched = socket;
  socket.reset();
  EXPECT_TRUE(watched.expired());
  publish(hub, 1);
}

http::Response get(LogHub& hub, const std::string& pattern, http::Fields query) {
  for (const auto& route : log_routes(hub)) {
    if (route.pattern != pattern) continue;
    EXPECT_EQ(route.role, "admin");
    http::Request request;
    request.query = std::move(query);
    return route.handler(request);
  }
  throw std::runtime_error("no such route");
}

TEST(LogRoutesTest, PageByDefaultAndLinesAsText) {
  LogHub hub;
  for (int i = 1; i <= 5; ++i) publish(hub, i);
  const auto page = get(hub, "/logs/", {});
  EXPECT_EQ(page.headers.find("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("text"));
  const auto count = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_EQ(count(get(hub, "/logs/", {{"text", "True"}}).body), 5);
  EXPECT_EQ(count(get(hub, "/logs/", {{"html", "false"}}).body), 5);
  const auto two = get(hub, "/logs/", {{"text", "1"}, {"lines", "2"}}).body;
  EXPECT_EQ(count(two), 2);
  EXPECT_THAT(two, HasSubstr("request=5"));
  EXPECT_EQ(count(get(hub, "/logs/", {{"text", "1"}, {"lines", "0"}}).body), 5);
  EXPECT_THROW((void)get(hub, "/logs/", {{"lines", "-1"}}), http::HttpError);
  EXPECT_THROW((void)get(hub, "/logs/", {{"refresh", "x"}}), http::HttpError);
}

TEST(GpuReportTest, GivesTheOutputOrSaysWhyThereIsNone) {
  EXPECT_THAT(gpu_report("no-such-program-here"), HasSubstr("was not found"));
  EXPECT_EQ(gpu_report("pwd").front(), '/');
  EXPECT_THAT(gpu_report("false"), HasSubstr("failed"));
}

}  // namespace
}  // namespace voxloom::serve
