#include "voxloom/serve/auth/password.h"

#include <vector>

#include <sodium.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/auth/sodium_ready.h"

namespace voxloom::serve {

void sodium_ready() {
  // Thread-safe and cheap after the first call.
  static const int status = ::sodium_init();
  VOXLOOM_CHECK(status >= 0, ErrorCode::kUnavailable, "libsodium cannot be started");
}

void check_password(std::string_view password) {
  VOXLOOM_CHECK(password.size() >= kMinPasswordBytes && password.size() <= kMaxPasswordBytes,
                ErrorCode::kInvalidArgument,
                "password: must be {} to {} bytes long, got {}",
                kMinPasswordBytes,
                kMaxPasswordBytes,
                password.size());
}

std::string hash_password(std::string_view password, HashCost cost) {
  sodium_ready();
  const bool least = cost == HashCost::kLeast;
  char text[crypto_pwhash_STRBYTES];
  const int status = ::crypto_pwhash_str_alg(
      text,
      password.data(),
      password.size(),
      least ? crypto_pwhash_argon2id_OPSLIMIT_MIN : crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE,
      least ? crypto_pwhash_argon2id_MEMLIMIT_MIN : crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE,
      crypto_pwhash_ALG_ARGON2ID13);
  VOXLOOM_CHECK(status == 0, ErrorCode::kUnavailable, "password: no memory to hash it");
  return text;
}

bool verify_password(const std::string& hash, std::string_view password) {
  sodium_ready();
  return ::crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_hex(size_t count) {
  sodium_ready();
  std::vector<unsigned char> bytes(count);
  ::randombytes_buf(bytes.data(), bytes.size());
  std::string text(2 * count + 1, '\0');
  ::sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

}  // namespace voxloom::serve
