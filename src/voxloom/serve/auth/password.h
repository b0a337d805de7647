#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace voxloom::serve {

/// How costly a hash is to try. kInteractive: 64 MiB and about 0.1 s; kLeast is for tests.
enum class HashCost { kInteractive, kLeast };

inline constexpr size_t kMinPasswordBytes = 8;
inline constexpr size_t kMaxPasswordBytes = 1024;

/// Throws kInvalidArgument for a password that is too short or too long.
void check_password(std::string_view password);
/// argon2id with a random salt, as text. Throws kUnavailable when memory is short.
[[nodiscard]] std::string hash_password(std::string_view password,
                                        HashCost cost = HashCost::kInteractive);
[[nodiscard]] bool verify_password(const std::string& hash, std::string_view password);

/// Compares in a time that depends on the lengths alone, which are not secret.
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b);

/// `count` random bytes in hex.
[[nodiscard]] std::string random_hex(size_t count);

}  // namespace voxloom::serve
