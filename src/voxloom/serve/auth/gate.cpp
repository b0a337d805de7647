#include "voxloom/serve/auth/gate.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "voxloom/core/error.h"
#include "voxloom/serve/auth/password.h"

namespace voxloom::serve {
namespace {

using http::HttpError;
using http::Json;
using http::Request;
using http::Response;
using http::Route;

constexpr std::string_view kNotAuthenticated = "Not authenticated";
constexpr std::string_view kBadToken = "Could not validate credentials";

[[noreturn]] void refuse(std::string_view detail) {
  throw HttpError(401, std::string(detail), {{"WWW-Authenticate", "Bearer"}});
}

std::string too_many(std::string_view what, int64_t seconds) {
  return format("too many {}; try again in {} s", what, seconds);
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return (x | 0x20) == (y | 0x20);
  });
}

/// The token of "Bearer TOKEN". The header may be absent (nullopt); an empty text fits no token.
std::optional<std::string> token_of(const Request& request, const Route& route) {
  const auto header = request.headers.find("Authorization");
  if (!header) {
    if (!route.websocket) return std::nullopt;
    std::string token = request.query_value("access_token");
    return token.empty() ? std::nullopt : std::optional(std::move(token));
  }
  const size_t space = header->find(' ');
  if (space == std::string_view::npos || !equal_without_case(header->substr(0, space), "bearer")) {
    return std::nullopt;  // another scheme is as good as none
  }
  const size_t start = header->find_first_not_of(' ', space);
  if (start == std::string_view::npos) return std::string();
  return std::string(header->substr(start, header->find_last_not_of(' ') + 1 - start));
}

http::Principal everyone() {
  return {"admin", {std::begin(kRoles), std::end(kRoles)}};
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

/// A hash takes 64 MiB: two run at a time, a few more wait, the rest is told to come back.
class Gate::HashSlots {
 public:
  bool enter() {
    std::unique_lock lock(mutex_);
    if (waiting_ >= kMostWaiting) return false;
    ++waiting_;
    free_.wait(lock, [&] { return running_ < kMostRunning; });
    --waiting_;
    ++running_;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --running_;
    free_.notify_one();
  }

 private:
  static constexpr int kMostRunning = 2, kMostWaiting = 16;
  std::mutex mutex_;
  std::condition_variable free_;
  int running_ = 0, waiting_ = 0;
};

Gate::Gate(GateOptions options, UnixClock unix_clock, SteadyClock steady_clock)
    : options_(std::move(options)),
      unix_clock_(std::move(unix_clock)),
      requests_(options_.requests, steady_clock),
      logins_(steady_clock),
      images_(options_.image_allowance.count() * 1000, steady_clock) {
  if (options_.users.empty()) return;
  store_ = std::make_unique<UserStore>(options_.users);
  signer_ =
      std::make_unique<TokenSigner>(TokenSigner::from_key_file(token_key_file(options_.users)));
  slots_ = std::make_unique<HashSlots>();
  // Made here for an empty file alone; else the cost of a real account's hash is the one to match.
  const auto users = store_->current();
  spare_hash_ = users->users.empty() ? hash_password(random_hex(16)) : users->users.front().hash;
}

Gate::~Gate() = default;

http::Principal Gate::principal_of(std::string_view token) {
  const auto claims = signer_->verify(token, unix_clock_());
  if (!claims) refuse(kBadToken);
  const auto users = store_->current();
  const User* user = users->find(claims->user);
  if (user == nullptr || !equal_secrets(user->stamp, claims->stamp)) refuse(kBadToken);
  return {user->name, user->effective_roles()};
}

void Gate::authorise(Request& request, const Route& route) {
  if (!contains(options_.unlimited, route.pattern)) {
    if (const auto seconds = requests_.refused(request.remote_address)) {
      throw HttpError(429,
                      too_many("requests from this address", *seconds),
                      {{"Retry-After", std::to_string(*seconds)}});
    }
  }
  if (!enabled()) {
    request.principal = everyone();
    return;
  }
  request.principal = {"anonymous", {}};
  const auto token = token_of(request, route);
  if (route.role.empty()) {
    // Slicer sends its old token when it logs in again, so a bad one is no reason to refuse.
    if (!token) return;
    try {
      request.principal = principal_of(*token);
    } catch (const HttpError&) {
    }
    return;
  }
  if (!token) {
    if (request.method == "GET" && route.pattern == "/datastore/image" &&
        images_.allowed(request.remote_address, request.query_value("image"))) {
      request.principal = {"image-allowance", {"user"}};
      return;
    }
    refuse(kNotAuthenticated);
  }
  request.principal = principal_of(*token);
  if (!contains(request.principal.roles, route.role)) {
    throw HttpError(403, format("Role \"{}\" is required to perform this action", route.role));
  }
}

http::Authoriser Gate::authoriser() {
  return [this](Request& request, const Route& route) { authorise(request, route); };
}

void Gate::allow_image(std::string_view remote_address, std::string_view image_id) {
  if (enabled()) images_.allow(remote_address, image_id);
}

std::optional<User> Gate::log_in(const std::string& name, std::string_view password) {
  if (!slots_->enter()) {
    throw HttpError(503, "too many log-ins at once; try again in 1 s", {{"Retry-After", "1"}});
  }
  struct Leave {
    HashSlots& slots;
    ~Leave() { slots.leave(); }
  } leave{*slots_};
  // A password changed a moment ago counts at once.
  const auto users = store_->refresh();
  const User* user = users->find(name);
  const bool right = verify_password(user != nullptr ? user->hash : spare_hash_, password);
  return right && user != nullptr ? std::optional(*user) : std::nullopt;
}

Response Gate::issue_token(const Request& request) {
  const std::string grant = request.form_value("grant_type", "password");
  if (grant != "password") return Response::error(400, "grant_type must be 'password'");
  const std::string name = request.form_value("username");
  const std::string password = request.form_value("password");
  if (const auto seconds = logins_.refused(request.remote_address, name)) {
    Response answer = Response::error(429, too_many("log-ins", *seconds));
    answer.headers.set("Retry-After", std::to_string(*seconds));
    return answer;
  }
  std::optional<User> user;
  if (password.size() <= kMaxPasswordBytes) user = log_in(name, password);
  if (!user) {
    Response answer = Response::error(401, "wrong user name or password");
    answer.headers.set("WWW-Authenticate", "Bearer");
    return answer;
  }
  logins_.succeeded(request.remote_address, name);
  const int64_t expires = unix_clock_() + options_.token_lifetime.count();
  Response answer = Response::json(
      {{"access_token", signer_->sign({name, user->stamp, expires})}, {"token_type", "bearer"}});
  answer.headers.set("Cache-Control", "no-store");
  return answer;
}

std::vector<Route> Gate::routes() {
  if (!enabled()) return {};
  using In = http::Param::In;
  Route info{.method = "GET",
             .pattern = "/auth/",
             .role = "",
             .summary = "Says that this server asks for a log-in.",
             .params = {},
             .handler =
                 [](Request&) {
                   return Response::json(
                       {{"enabled", true}, {"client_id", "monailabel-app"}, {"realm", "voxloom"}});
                 },
             .work = http::Work::kInline,
             .websocket = {}};
  Route token{.method = "POST",
              .pattern = "/auth/token",
              .role = "",
              .summary = "Gives an expiring token for a user name and password.",
              .params = {{In::kForm, "username", "Name of the account.", true, {}},
                         {In::kForm, "password", "Its password.", true, {}},
                         {In::kForm, "grant_type", "Always password.", false, {"password"}}},
              .handler = [this](Request& request) { return issue_token(request); },
              .work = http::Work::kLong,
              .websocket = {}};
  // The route has no role, but wants a token: 401 comes from here.
  Route valid{
      .method = "GET",
      .pattern = "/auth/token/valid",
      .role = "",
      .summary = "Who the token belongs to.",
      .params = {},
      .handler =
          [](Request& request) {
            const auto& who = request.principal;
            if (who.name == "anonymous" && who.roles.empty()) {
              refuse(request.headers.find("Authorization") ? kBadToken : kNotAuthenticated);
            }
            return Response::json(
                {{"username", who.name}, {"email", ""}, {"name", who.name}, {"roles", who.roles}});
          },
      .work = http::Work::kInline,
      .websocket = {}};
  std::vector<Route> list;
  list.push_back(std::move(info));
  list.push_back(std::move(token));
  list.push_back(std::move(valid));
  return list;
}

}  // namespace voxloom::serve
