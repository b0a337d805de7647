#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/auth/limits.h"
#include "voxloom/serve/auth/tokens.h"
#include "voxloom/serve/auth/users.h"
#include "voxloom/serve/http/message.h"
#include "voxloom/serve/http/router.h"
#include "voxloom/serve/http/server.h"

namespace voxloom::serve {

struct GateOptions {
  std::filesystem::path users;  ///< Empty: accounts are off, every request is an admin's.
  RequestLimiter::Options requests;
  std::chrono::seconds token_lifetime{12 * 3600};  ///< Of POST /auth/token.
  std::chrono::seconds image_allowance{300};
  /// Routes that no rate limit holds back: probes and scrapers.
  std::vector<std::string> unlimited = {"/healthz", "/metrics"};
};

/// The server's door: who asks, may they, and not too often. Thread-safe.
///
/// Accounts off: request.principal is "admin" with every role, on every route.
/// Accounts on: a route without a role is open to all (a right token still names who asks). Other
/// routes need "Authorization: Bearer TOKEN" (the word in any case) of a user who has the route's
/// role (users.h says how roles work); WebSocket routes also take ?access_token=TOKEN, since
/// browsers can't set headers there. Answers, as MONAI Label's:
///
/// | case                     | status | detail                                              |
/// header           |
/// |--------------------------|--------|-----------------------------------------------------|------------------|
/// | no header                | 401    | Not authenticated                                   |
/// WWW-Authenticate | | wrong, expired, revoked  | 401    | Could not validate credentials |
/// WWW-Authenticate | | role missing             | 403    | Role "<role>" is required to perform
/// this action    |                  | | too many requests, tries | 429    | too many requests ...
/// | Retry-After      |
class Gate {
 public:
  /// Throws what load_users and TokenSigner::from_key_file throw.
  explicit Gate(GateOptions options,
                UnixClock unix_clock = unix_now,
                SteadyClock steady_clock = steady_now_ms);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  [[nodiscard]] bool enabled() const { return store_ != nullptr; }

  /// Fills request.principal or throws HttpError. Never waits for a password hash.
  void authorise(http::Request& request, const http::Route& route);
  /// authorise() for the server; this gate must outlive it.
  [[nodiscard]] http::Authoriser authoriser();

  /// After an authorised next sample: that client may GET /datastore/image?image=ID without a
  /// token for `image_allowance`. Nothing happens with accounts off.
  void allow_image(std::string_view remote_address, std::string_view image_id);

  /// GET /auth/, POST /auth/token, GET /auth/token/valid; none with accounts off, so that they
  /// answer 404 and Slicer asks for no log-in. This gate must outlive them.
  [[nodiscard]] std::vector<http::Route> routes();

 private:
  class HashSlots;
  [[nodiscard]] http::Principal principal_of(std::string_view token);
  [[nodiscard]] http::Response issue_token(const http::Request& request);
  /// The account, where the password is right.
  [[nodiscard]] std::optional<User> log_in(const std::string& name, std::string_view password);

  GateOptions options_;
  UnixClock unix_clock_;
  RequestLimiter requests_;
  LoginLimiter logins_;
  ImageAllowance images_;
  std::unique_ptr<UserStore> store_;
  std::unique_ptr<TokenSigner> signer_;
  std::unique_ptr<HashSlots> slots_;
  std::string spare_hash_;  ///< Tried for unknown names, so that they cost the same time.
};

}  // namespace voxloom::serve
