#include <filesystem>
#include <optional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "voxloom/serve/auth/gate.h"
#include "voxloom/serve/auth/password.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using http::HttpError;
using http::Request;
using http::Response;
using http::Route;

Route route(std::string method, std::string pattern, std::string role) {
  Route made;
  made.method = std::move(method);
  made.pattern = std::move(pattern);
  made.role = std::move(role);
  return made;
}

Request request(std::string method, const std::string& token = "", std::string from = "10.0.0.1") {
  Request made;
  made.method = std::move(method);
  made.remote_address = std::move(from);
  if (!token.empty()) made.headers.set("Authorization", "bearer " + token);
  return made;
}

/// Status and detail that the gate answers with; {200, ""} when it lets the request through.
struct Seen {
  int status = 200;
  std::string detail;
  http::Fields headers;
};

Seen ask(Gate& gate, Request asked, const Route& on) {
  try {
    gate.authorise(asked, on);
    return {};
  } catch (const HttpError& e) {
    return {e.status(), e.what(), e.headers()};
  }
}

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    std::string name = (fs::temp_directory_path() / "voxloom-gate-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    for (const char* role : kRoles) {
      add(role, {role});
    }
  }
  ~GateTest() override { fs::remove_all(folder_); }

  /// An account with the password "password of NAME".
  void add(const std::string& name, std::vector<std::string> roles) {
    update_users(folder_ / "users", [&](UserList& list) {
      list.put(
          {name, hash_password("password of " + name, HashCost::kLeast), roles, random_hex(8)});
    });
  }
  std::unique_ptr<Gate> gate(GateOptions options = {}) {
    options.users = folder_ / "users";
    return std::make_unique<Gate>(
        options, [this] { return now_s_; }, [this] { return now_ms_; });
  }
  static Response call(Gate& gate, const std::string& pattern, Request asked) {
    for (const auto& candidate : gate.routes()) {
      if (candidate.pattern != pattern) continue;
      gate.authorise(asked, candidate);
      return candidate.handler(asked);
    }
    throw std::runtime_error("no route " + pattern);
  }
  static Request log_in(const std::string& name,
                        const std::string& password,
                        std::string from = "10.0.0.1") {
    Request made = request("POST", "", std::move(from));
    made.form = {{"username", name}, {"password", password}, {"grant_type", "password"}};
    return made;
  }
  static std::string token(Gate& gate, const std::string& name) {
    const Response answer = call(gate, "/auth/token", log_in(name, "password of " + name));
    EXPECT_EQ(answer.status, 200) << answer.body;
    return http::Json::parse(answer.body).at("access_token").get<std::string>();
  }

  fs::path folder_;
  int64_t now_s_ = 1'000'000, now_ms_ = 5'000'000;
};

TEST_F(GateTest, WithAccountsOffEveryRequestIsAnAdminAndThereIsNoLogIn) {
  Gate off({});
  EXPECT_FALSE(off.enabled());
  EXPECT_TRUE(off.routes().empty());
  for (const char* role : {"", "user", "reviewer", "annotator", "admin"}) {
    Request asked = request("GET");
    off.authorise(asked, route("GET", "/x", role));
    EXPECT_EQ(asked.principal.name, "admin");
    EXPECT_EQ(asked.principal.roles.size(), 4U);
  }
}

TEST_F(GateTest, EveryRoleMeetsEveryRoute) {
  const auto gate = this->gate();
  const Route routes[] = {route("GET", "/healthz", ""),
                          route("GET", "/info/", "user"),
                          route("PUT", "/datastore/updatelabelinfo", "reviewer"),
                          route("PUT", "/datastore/label", "annotator"),
                          route("DELETE", "/datastore/image", "admin")};
  for (const char* role : kRoles) {
    const std::string pass = token(*gate, role);
    for (const auto& on : routes) {
      const bool may = on.role.empty() || on.role == role || std::string(role) == "admin";
      const Seen seen = ask(*gate, request(on.method, pass), on);
      EXPECT_EQ(seen.status, may ? 200 : 403) << role << " on " << on.pattern;
      if (!may) {
        EXPECT_EQ(seen.detail, "Role \"" + on.role + "\" is required to perform this action");
      }
    }
  }
  for (const auto& on : routes) {
    const Seen none = ask(*gate, request(on.method), on);
    EXPECT_EQ(none.status, on.role.empty() ? 200 : 401) << on.pattern;
    const Seen bad = ask(*gate, request(on.method, "v1.bad.token"), on);
    EXPECT_EQ(bad.status, on.role.empty() ? 200 : 401) << on.pattern;
    if (on.role.empty()) continue;
    EXPECT_EQ(none.detail, "Not authenticated");
    EXPECT_EQ(bad.detail, "Could not validate credentials");
    const http::Fields challenge = {{"WWW-Authenticate", "Bearer"}};
    EXPECT_EQ(none.headers, challenge);
    EXPECT_EQ(bad.headers, challenge);
  }
}

TEST_F(GateTest, SchemeIsReadInAnyCaseAndOtherSchemesAreNone) {
  const auto gate = this->gate();
  const std::string pass = token(*gate, "user");
  const Route on = route("GET", "/info/", "user");
  const std::pair<std::string, int> cases[] = {{"bearer " + pass, 200},
                                               {"Bearer  " + pass + " ", 200},
                                               {"BEARER " + pass, 200},
                                               {"Bearer", 401},
                                               {"Bearer ", 401},
                                               {"Basic " + pass, 401},
                                               {pass, 401},
                                               {"", 401}};
  for (const auto& [header, status] : cases) {
    Request asked = request("GET");
    asked.headers.set("Authorization", header);
    EXPECT_EQ(ask(*gate, asked, on).status, status) << header.substr(0, 10);
  }
}

TEST_F(GateTest, TokenEndsWithItsTimeItsPasswordAndItsAccount) {
  GateOptions options;
  options.token_lifetime = std::chrono::seconds(60);
  const auto gate = this->gate(options);
  const Route on = route("GET", "/info/", "user");
  const std::string first = token(*gate, "user");
  EXPECT_EQ(ask(*gate, request("GET", first), on).status, 200);
  now_s_ += 60;
  EXPECT_EQ(ask(*gate, request("GET", first), on).status, 401);

  const std::string second = token(*gate, "user");
  add("user", {"user"});                           // as a new password does
  const std::string third = token(*gate, "user");  // the log-in reads the file anew
  EXPECT_EQ(ask(*gate, request("GET", second), on).status, 401);
  EXPECT_EQ(ask(*gate, request("GET", third), on).status, 200);

  update_users(folder_ / "users", [](UserList& list) { list.remove("user"); });
  (void)token(*gate, "admin");
  EXPECT_EQ(ask(*gate, request("GET", third), on).status, 401);
}

TEST_F(GateTest, RolesAreThoseOfTheAccountNow) {
  const auto gate = this->gate();
  const std::string pass = token(*gate, "user");
  update_users(folder_ / "users", [](UserList& list) {
    User user = *list.find("user");
    user.roles = {"reviewer"};
    list.put(user);
  });
  (void)token(*gate, "admin");
  EXPECT_EQ(ask(*gate, request("GET", pass), route("GET", "/info/", "user")).status, 403);
  EXPECT_EQ(ask(*gate, request("GET", pass), route("GET", "/r", "reviewer")).status, 200);
}

TEST_F(GateTest, LogInRoutesAnswerAsSlicerExpects) {
  const auto gate = this->gate();
  const auto info = http::Json::parse(call(*gate, "/auth/", request("GET")).body);
  EXPECT_EQ(info.at("enabled"), true);
  const Response answer = call(*gate, "/auth/token", log_in("admin", "password of admin"));
  const auto json = http::Json::parse(answer.body);
  EXPECT_EQ(json.size(), 2U);
  EXPECT_EQ(json.at("token_type"), "bearer");
  const auto who = http::Json::parse(
      call(*gate, "/auth/token/valid", request("GET", json.at("access_token").get<std::string>()))
          .body);
  EXPECT_EQ(who.at("username"), "admin");
  EXPECT_EQ(who.at("roles").size(), 4U);
  for (const auto& [pass, detail] : {std::pair<std::string, std::string>("", "Not authenticated"),
                                     {"v1.x.y", "Could not validate credentials"}}) {
    try {
      (void)call(*gate, "/auth/token/valid", request("GET", pass));
      ADD_FAILURE() << "accepted '" << pass << "'";
    } catch (const HttpError& e) {
      EXPECT_EQ(e.status(), 401);
      EXPECT_EQ(e.what(), detail);
    }
  }
}

TEST_F(GateTest, WrongNameAndWrongPasswordGetTheSameAnswer) {
  const auto gate = this->gate();
  const Response wrong = call(*gate, "/auth/token", log_in("admin", "not the password"));
  const Response unknown = call(*gate, "/auth/token", log_in("nobody", "not the password"));
  const Response longest = call(*gate, "/auth/token", log_in("nobody", std::string(5000, 'x')));
  EXPECT_EQ(wrong.status, 401);
  for (const auto* answer : {&unknown, &longest}) {
    EXPECT_EQ(answer->status, wrong.status);
    EXPECT_EQ(answer->body, wrong.body);
    EXPECT_EQ(answer->headers.fields(), wrong.headers.fields());
  }
  // The password of an existing account does not open another name.
  EXPECT_EQ(call(*gate, "/auth/token", log_in("nobody", "password of admin")).status, 401);
}

TEST_F(GateTest, GuessingIsSlowedPerAddressAndPerAccountWithAGrowingDelay) {
  const auto gate = this->gate();
  const auto guess = [&](const std::string& name, const std::string& from) {
    return call(*gate, "/auth/token", log_in(name, "wrong password", from));
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(guess("admin", "10.0.0.9").status, 401) << i;
  Response held = guess("admin", "10.0.0.9");
  EXPECT_EQ(held.status, 429);
  EXPECT_EQ(held.headers.find("Retry-After"), "1");
  // The same address on another name, and the same name from another address, are held too.
  EXPECT_EQ(guess("user", "10.0.0.9").status, 429);
  EXPECT_EQ(guess("user", "::ffff:10.0.0.9").status, 429);
  EXPECT_EQ(guess("admin", "10.0.0.8").status, 429);
  EXPECT_EQ(guess("user", "10.0.0.8").status, 401);
  // Even the right password waits.
  EXPECT_EQ(call(*gate, "/auth/token", log_in("admin", "password of admin", "10.0.0.7")).status,
            429);
  now_ms_ += 1000;
  EXPECT_EQ(guess("admin", "10.0.0.9").status, 401);
  held = guess("admin", "10.0.0.9");
  EXPECT_EQ(held.headers.find("Retry-After"), "2");
  now_ms_ += 2000;
  EXPECT_EQ(call(*gate, "/auth/token", log_in("admin", "password of admin", "10.0.0.9")).status,
            200);
  // The right password clears both.
  EXPECT_EQ(guess("admin", "10.0.0.9").status, 401);
  EXPECT_EQ(guess("admin", "10.0.0.9").status, 401);
}

TEST_F(GateTest, AllowanceOpensOneImageForOneAddressForItsTime) {
  const auto gate = this->gate();
  const Route image = route("GET", "/datastore/image", "user");
  const auto fetch =
      [&](const std::string& id, const std::string& from, std::string method = "GET") {
        Request asked = request(std::move(method), "", from);
        asked.query = {{"image", id}};
        return ask(*gate, asked, image).status;
      };
  EXPECT_EQ(fetch("case1", "10.0.0.1"), 401);
  gate->allow_image("::ffff:10.0.0.1", "case1");
  EXPECT_EQ(fetch("case1", "10.0.0.1"), 200);
  EXPECT_EQ(fetch("case1", "10.0.0.2"), 401);
  EXPECT_EQ(fetch("case2", "10.0.0.1"), 401);
  EXPECT_EQ(fetch("", "10.0.0.1"), 401);
  EXPECT_EQ(fetch("case1", "10.0.0.1", "DELETE"), 401);
  Request other = request("GET");
  other.query = {{"image", "case1"}};
  EXPECT_EQ(ask(*gate, other, route("GET", "/datastore/label", "user")).status, 401);
  // A wrong token is not made good by the allowance.
  Request wrong = request("GET", "v1.x.y");
  wrong.query = {{"image", "case1"}};
  EXPECT_EQ(ask(*gate, wrong, image).status, 401);
  now_ms_ += 299'999;
  EXPECT_EQ(fetch("case1", "10.0.0.1"), 200);
  now_ms_ += 1;
  EXPECT_EQ(fetch("case1", "10.0.0.1"), 401);
}

TEST_F(GateTest, RequestsAreLimitedPerAddressButNotProbesOrLoopback) {
  GateOptions options;
  options.requests = {.per_second = 2.0, .burst = 3.0, .limit_loopback = false};
  const auto gate = this->gate(options);
  const Route open = route("GET", "/open", ""), health = route("GET", "/healthz", "");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(*gate, request("GET"), open).status, 200);
  const Seen held = ask(*gate, request("GET"), open);
  EXPECT_EQ(held.status, 429);
  EXPECT_EQ(held.headers, (http::Fields{{"Retry-After", "1"}}));
  EXPECT_EQ(ask(*gate, request("GET", "", "10.0.0.2"), open).status, 200);
  EXPECT_EQ(ask(*gate, request("GET"), health).status, 200);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ask(*gate, request("GET", "", "127.0.0.1"), open).status, 200);
    EXPECT_EQ(ask(*gate, request("GET", "", "::1"), open).status, 200);
  }
  now_ms_ += 500;
  EXPECT_EQ(ask(*gate, request("GET"), open).status, 200);
  EXPECT_EQ(ask(*gate, request("GET"), open).status, 429);
}

TEST_F(GateTest, WebSocketRoutesTakeTheTokenFromTheQueryAndOthersDoNot) {
  const auto gate = this->gate();
  Request asked = request("GET");
  asked.query = {{"access_token", token(*gate, "admin")}};
  Route live = route("GET", "/logs/live", "admin");
  EXPECT_EQ(ask(*gate, asked, live).status, 401);
  live.websocket = [](const Request&, std::shared_ptr<http::WebSocket>) {};
  EXPECT_EQ(ask(*gate, asked, live).status, 200);
}

TEST(LimitsTest, MemoryStaysBoundedUnderManyAddresses) {
  int64_t now = 0;
  RequestLimiter requests({.per_second = 1.0, .burst = 1.0, .limit_loopback = true},
                          [&] { return now; });
  LoginLimiter logins([&] { return now; });
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(logins.refused("10.9.9.9", "admin"));
  for (int i = 0; i < 25000; ++i) {
    const std::string address = "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    EXPECT_FALSE(requests.refused(address));
    EXPECT_FALSE(logins.refused(address, "made-up-" + std::to_string(i)));
  }
  // The flood did not wash away the count of the account under attack.
  EXPECT_TRUE(logins.refused("10.8.8.8", "admin"));
}

}  // namespace
}  // namespace voxloom::serve
