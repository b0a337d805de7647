#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/log/follow.h"
#include "voxloom/serve/log/network.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kToken = "a-token-of-the-tests";

void publish(LogHub& hub, uint64_t n, LogLevel level = LogLevel::kInfo) {
  LogRecord record(level, "test");
  record.request(n);
  hub.publish(record);
}

/// Waits for something that another thread does; the test's own time-out ends it.
template <class Condition>
void wait_until(const Condition& condition) {
  while (!condition()) std::this_thread::sleep_for(1ms);
}

/// A plain socket that says what it likes.
class Peer {
 public:
  explicit Peer(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~Peer() { ::close(fd_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void say(const std::string& text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void end_sending() { ::shutdown(fd_, SHUT_WR); }
  /// Everything until the other side closes.
  std::string hear_all() {
    std::string heard;
    char part[4096];
    for (ssize_t got = 0; (got = ::recv(fd_, part, sizeof part, 0)) > 0;) {
      heard.append(part, static_cast<size_t>(got));
    }
    return heard;
  }
  std::string hear_line() {
    std::string line;
    for (char c = 0; ::recv(fd_, &c, 1, 0) == 1 && c != '\n';) line += c;
    return line;
  }

 private:
  int fd_;
};

LogNetworkOptions quick() {
  LogNetworkOptions options;
  options.token = kToken;
  options.hello_timeout = 200ms;
  options.first_retry = 5ms;
  options.longest_retry = 20ms;
  return options;
}

TEST(LogListenerTest, PeerWithoutTheTokenGetsNotOneByteAndIsClosed) {
  LogHub hub;
  LogNetwork network(hub, quick());
  const uint16_t port = network.listen({"127.0.0.1", 0});
  for (const std::string said : {"",
                                 "wrong\n",
                                 "a-token-of-the-test\n",
                                 "a-token-of-the-tests-and-more\n",
                                 "{\"level\":\"debug\"}\n",
                                 "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    Peer peer(port);
    peer.say(said);
    publish(hub, 1);
    EXPECT_EQ(peer.hear_all(), "") << said;
  }
  Peer flood(port);
  flood.say(std::string(10000, 'x'));
  EXPECT_EQ(flood.hear_all(), "");
  EXPECT_EQ(network.monitors(), 0U);
}

TEST(LogListenerTest, TokenThenFiltersThenBacklogThenLive) {
  LogHub hub;
  publish(hub, 1);
  publish(hub, 2, LogLevel::kError);
  publish(hub, 3, LogLevel::kError);
  LogNetwork network(hub, quick());
  Peer peer(network.listen({"127.0.0.1", 0}));
  peer.say(std::string(kToken) + "\r\n{\"level\":\"error\",\"backlog\":1}\n");
  const auto hello = http::Json::parse(peer.hear_line());
  EXPECT_EQ(hello.at("event"), "hello");
  EXPECT_EQ(hello.at("backlog"), 1);
  EXPECT_EQ(http::Json::parse(peer.hear_line()).at("request"), 3);
  publish(hub, 4);
  publish(hub, 5, LogLevel::kError);
  EXPECT_EQ(http::Json::parse(peer.hear_line()).at("request"), 5);
  EXPECT_EQ(network.monitors(), 1U);
}

TEST(LogListenerTest, FiltersMayBeLeftOut) {
  LogHub hub;
  publish(hub, 1);
  LogNetwork network(hub, quick());
  Peer peer(network.listen({"127.0.0.1", 0}));
  peer.say(std::string(kToken) + "\n");
  EXPECT_EQ(http::Json::parse(peer.hear_line()).at("backlog"), 0);
  publish(hub, 2);
  EXPECT_EQ(http::Json::parse(peer.hear_line()).at("request"), 2);
}

TEST(LogListenerTest, BrokenFilterEndsTheConnection) {
  LogHub hub;
  LogNetwork network(hub, quick());
  Peer peer(network.listen({"127.0.0.1", 0}));
  peer.say(std::string(kToken) + "\n{\"level\":\"loud\"}\n");
  (void)peer.hear_all();  // returns: it is closed
  wait_until([&] { return network.monitors() == 0; });
}

TEST(LogListenerTest, UnknownConnectionsAreLimited) {
  LogHub hub;
  auto options = quick();
  options.max_unknown = 2;
  options.hello_timeout = 60s;
  LogNetwork network(hub, options);
  const uint16_t port = network.listen({"127.0.0.1", 0});
  Peer first(port), second(port), third(port);
  EXPECT_EQ(third.hear_all(), "");  // at once, long before the minute is over
}

TEST(LogListenerTest, AddressInUseIsAnErrorThatNamesIt) {
  LogHub hub;
  LogNetwork network(hub, quick());
  const uint16_t port = network.listen({"127.0.0.1", 0});
  try {
    (void)network.listen({"127.0.0.1", port});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr("127.0.0.1:" + std::to_string(port)));
  }
}

/// Runs follow_log or receive_log on a thread and keeps what it sees.
class Watcher {
 public:
  ~Watcher() { end(); }
  void follow(FollowOptions options) {
    thread_ = std::thread([this, options] {
      try {
        follow_log(options, events(), stop_);
      } catch (const Error& e) {
        trouble = e.what();
      }
      ended = true;
    });
  }
  uint16_t receive(ReceiveOptions options) {
    thread_ = std::thread([this, options] {
      try {
        receive_log(options, events(), stop_);
      } catch (const Error& e) {
        trouble = e.what();
      }
      ended = true;
    });
    wait_until([&] { return port_ != 0; });
    return port_;
  }
  void end() {
    stop_.cancel();
    if (thread_.joinable()) thread_.join();
  }
  std::vector<uint64_t> requests() {
    const std::lock_guard lock(mutex_);
    std::vector<uint64_t> list;
    for (const auto& line : lines_) list.push_back(http::Json::parse(line).value("request", 0U));
    return list;
  }
  bool said(const std::string& part) {
    const std::lock_guard lock(mutex_);
    return states_.find(part) != std::string::npos;
  }

  std::atomic<bool> ended{false};
  std::string trouble;  ///< Read after end().

 private:
  FollowEvents events() {
    return {[this](std::string_view line) {
              const std::lock_guard lock(mutex_);
              lines_.emplace_back(line);
            },
            [this](const std::string& text) {
              const std::lock_guard lock(mutex_);
              states_ += text + "\n";
            },
            [this](uint16_t port) { port_ = port; }};
  }

  CancelToken stop_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::string states_;
  std::atomic<uint16_t> port_{0};
  std::thread thread_;
};

FollowOptions follow_options(uint16_t port) {
  FollowOptions options;
  options.server = {"127.0.0.1", port};
  options.token = kToken;
  options.first_retry = 5ms;
  options.longest_retry = 20ms;
  return options;
}

TEST(FollowLogTest, FollowsAndAfterABreakGetsWhatItMissedOnce) {
  LogHub hub;
  publish(hub, 1);
  publish(hub, 2);
  auto network = std::make_unique<LogNetwork>(hub, quick());
  const uint16_t port = network->listen({"127.0.0.1", 0});
  Watcher watcher;
  auto options = follow_options(port);
  options.request.backlog = 1;
  watcher.follow(options);
  wait_until([&] { return watcher.requests().size() == 1; });
  publish(hub, 3);
  wait_until([&] { return watcher.requests().size() == 2; });
  network.reset();
  publish(hub, 4);  // during the break
  network = std::make_unique<LogNetwork>(hub, quick());
  (void)network->listen({"127.0.0.1", port});
  wait_until([&] { return watcher.requests().size() == 3; });
  publish(hub, 5);
  wait_until([&] { return watcher.requests().size() == 4; });
  watcher.end();
  EXPECT_EQ(watcher.requests(), (std::vector<uint64_t>{2, 3, 4, 5}));
  EXPECT_TRUE(watcher.said("was lost"));
  EXPECT_TRUE(watcher.said("connected again"));
}

TEST(FollowLogTest, OnceEndsAfterTheBacklog) {
  LogHub hub;
  for (uint64_t i = 1; i <= 5; ++i) publish(hub, i);
  LogNetwork network(hub, quick());
  auto options = follow_options(network.listen({"127.0.0.1", 0}));
  options.once = true;
  options.request.backlog = 3;
  std::vector<std::string> lines;
  FollowEvents events;
  events.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  EXPECT_EQ(follow_log(options, events, {}), 3U);
  EXPECT_EQ(lines.size(), 3U);
}

TEST(FollowLogTest, WrongTokenAndMissingServerAreErrorsThatSaySo) {
  LogHub hub;
  LogNetwork network(hub, quick());
  auto options = follow_options(network.listen({"127.0.0.1", 0}));
  options.token = "another-token-of-tests";
  try {
    (void)follow_log(options, {}, {});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnavailable);
    EXPECT_THAT(e.what(), HasSubstr("wrong token"));
  }
  uint16_t free_port = 0;
  {
    LogNetwork other(hub, quick());
    free_port = other.listen({"127.0.0.1", 0});
  }
  try {
    (void)follow_log(follow_options(free_port), {}, {});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("refused"));
  }
}

TEST(LogPusherTest, ConnectsOutGoesOnAfterABreakAndLosesNothingWithinItsQueue) {
  LogHub hub;
  LogNetwork network(hub, quick());
  ReceiveOptions options;
  options.at = {"127.0.0.1", 0};
  options.token = kToken;
  auto front_end = std::make_unique<Watcher>();
  const uint16_t port = front_end->receive(options);
  network.push({"127.0.0.1", port});
  publish(hub, 1);
  wait_until([&] { return front_end->requests().size() == 1; });
  EXPECT_EQ(network.front_ends(), 1U);
  EXPECT_TRUE(front_end->said("sends its log"));

  front_end.reset();
  wait_until([&] { return network.front_ends() == 0; });
  publish(hub, 2);
  publish(hub, 3);
  options.at.port = port;
  Watcher again;
  (void)again.receive(options);
  wait_until([&] { return again.requests().size() == 2; });
  again.end();
  EXPECT_EQ(again.requests(), (std::vector<uint64_t>{2, 3}));
}

TEST(LogPusherTest, ServerWithAWrongTokenIsNotListenedTo) {
  LogHub hub;
  auto wrong = quick();
  wrong.token = "another-token-of-tests";
  LogNetwork network(hub, wrong);
  ReceiveOptions options;
  options.at = {"127.0.0.1", 0};
  options.token = kToken;
  options.hello_timeout = 50ms;
  Watcher front_end;
  network.push({"127.0.0.1", front_end.receive(options)});
  publish(hub, 1);
  wait_until([&] { return network.front_ends() == 1; });
  wait_until([&] { return network.front_ends() == 0; });
  front_end.end();
  EXPECT_TRUE(front_end.requests().empty());
  EXPECT_FALSE(front_end.said("sends its log"));
}

/// A key and a certificate for 127.0.0.1 that signs itself.
void make_certificate(const fs::path& folder) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(certificate, names, -1);
  X509_EXTENSION_free(names);
  ASSERT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
  FILE* file = ::fopen((folder / "cert.pem").c_str(), "w");
  PEM_write_X509(file, certificate);
  ::fclose(file);
  file = ::fopen((folder / "key.pem").c_str(), "w");
  PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  ::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class LogTlsTest : public ::testing::Test {
 protected:
  LogTlsTest() {
    std::string name = (fs::temp_directory_path() / "voxloom-logtls-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    make_certificate(folder_);
  }
  ~LogTlsTest() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(LogTlsTest, MonitorFollowsOverTlsAndTrustsOnlyItsAuthority) {
  LogHub hub;
  publish(hub, 1);
  auto serving = quick();
  serving.certificate = folder_ / "cert.pem";
  serving.private_key = folder_ / "key.pem";
  LogNetwork network(hub, serving);
  auto options = follow_options(network.listen({"127.0.0.1", 0}));
  options.tls = true;
  options.ca = folder_ / "cert.pem";
  options.once = true;
  options.request.backlog = 10;
  EXPECT_EQ(follow_log(options, {}, {}), 1U);
  options.ca.clear();
  EXPECT_THROW((void)follow_log(options, {}, {}), Error);
  options.tls = false;
  EXPECT_THROW((void)follow_log(options, {}, {}), Error);
}

TEST_F(LogTlsTest, ServerPushesOverTls) {
  LogHub hub;
  auto pushing = quick();
  pushing.push_tls = true;
  pushing.push_ca = folder_ / "cert.pem";
  LogNetwork network(hub, pushing);
  ReceiveOptions options;
  options.at = {"127.0.0.1", 0};
  options.token = kToken;
  options.certificate = folder_ / "cert.pem";
  options.private_key = folder_ / "key.pem";
  Watcher front_end;
  network.push({"127.0.0.1", front_end.receive(options)});
  publish(hub, 7);
  wait_until([&] { return front_end.requests().size() == 1; });
}

TEST_F(LogTlsTest, FilesThatCannotBeUsedAreNamed) {
  LogHub hub;
  auto options = quick();
  options.certificate = folder_ / "none.pem";
  options.private_key = folder_ / "key.pem";
  try {
    const LogNetwork network(hub, options);
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("none.pem"));
  }
}

TEST(LogHelloTest, AddressesAreReadWithTheirErrors) {
  EXPECT_EQ(parse_log_endpoint("127.0.0.1:80"), (LogEndpoint{"127.0.0.1", 80}));
  EXPECT_EQ(parse_log_endpoint("host.example:0"), (LogEndpoint{"host.example", 0}));
  EXPECT_EQ(parse_log_endpoint("[::1]:65535"), (LogEndpoint{"::1", 65535}));
  EXPECT_EQ(endpoint_text({"::1", 5}), "[::1]:5");
  for (const char* bad :
       {"", ":", "a", "a:", ":80", "::1:80", "a:65536", "a:-1", "a:1x", "a b:1", "[]:1", "[:1"}) {
    EXPECT_THROW((void)parse_log_endpoint(bad), Error) << bad;
  }
}

TEST(LogHelloTest, LinesAreReadBackAndRubbishIsNoHello) {
  EXPECT_EQ(parse_push_hello(push_hello_line(kToken)), kToken);
  const auto hello = parse_server_hello(server_hello_line({12, "run"}));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->backlog, 12U);
  EXPECT_EQ(hello->run, "run");
  const auto request = parse_request_line(request_line({{LogLevel::kWarn, 3, "c"}, 9}));
  EXPECT_EQ(request.filter.level, LogLevel::kWarn);
  EXPECT_EQ(request.backlog, 9U);
  for (const char* bad :
       {"", "{", "[]", "null", R"({"event":"hello"})", R"({"event":1,"token":2})"}) {
    EXPECT_EQ(parse_push_hello(bad), "") << bad;
    EXPECT_FALSE(parse_server_hello(bad)) << bad;
  }
}

TEST(LogHelloTest, TokensAreChecked) {
  EXPECT_NO_THROW(check_log_token(kToken));
  for (const std::string& bad : {std::string(15, 'a'),
                                 std::string(257, 'a'),
                                 std::string("a token with spaces in it"),
                                 std::string()}) {
    EXPECT_THROW(check_log_token(bad), Error);
  }
  LogHub hub;
  EXPECT_THROW(LogNetwork(hub, {}), Error);
}

}  // namespace
}  // namespace voxloom::serve
