#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace voxloom::serve {

/// Seconds since 1970; injected by tests.
using UnixClock = std::function<int64_t()>;
[[nodiscard]] int64_t unix_now();

/// What a token says. Roles are not in it: they are those of the account when it is used.
struct TokenClaims {
  std::string user;
  std::string stamp;    ///< Of the account; another password makes another stamp.
  int64_t expires = 0;  ///< Unix seconds.
  bool operator==(const TokenClaims&) const = default;
};

/// Makes and checks bearer tokens: `v1.<claims>.<tag>`, base64url of JSON and of its
/// HMAC-SHA-512/256. Thread-safe (immutable).
class TokenSigner {
 public:
  /// The key in `file` (32 bytes in hex, mode 0600); made when there is none. Throws
  /// kUnavailable when others may read the file, kDataCorrupt when it holds no key.
  static TokenSigner from_key_file(const std::filesystem::path& file);
  explicit TokenSigner(const std::array<unsigned char, 32>& key) : key_(key) {}

  [[nodiscard]] std::string sign(const TokenClaims& claims) const;
  /// The claims of a token with a right tag that has not expired at `now`; the tag is compared in
  /// constant time.
  [[nodiscard]] std::optional<TokenClaims> verify(std::string_view token, int64_t now) const;

 private:
  std::array<unsigned char, 32> key_;
};

/// Where the key of a users file lies: beside it, "<file>.key".
[[nodiscard]] std::filesystem::path token_key_file(const std::filesystem::path& users);

}  // namespace voxloom::serve
