#include "voxloom/serve/auth/tokens.h"

#include <nlohmann/json.hpp>
#include <sodium.h>
#include <sys/stat.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/serve/auth/password.h"
#include "voxloom/serve/auth/sodium_ready.h"

namespace voxloom::serve {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxTokenBytes = 1024;
constexpr std::string_view kPrefix = "v1.";
constexpr int kBase64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string base64(const unsigned char* bytes, size_t count) {
  std::string text(sodium_base64_ENCODED_LEN(count, kBase64), '\0');
  ::sodium_bin2base64(text.data(), text.size(), bytes, count, kBase64);
  text.pop_back();
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes(text.size(), '\0');
  size_t count = 0;
  const char* end = nullptr;
  const int status = ::sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()),
                                         bytes.size(),
                                         text.data(),
                                         text.size(),
                                         nullptr,
                                         &count,
                                         &end,
                                         kBase64);
  if (status != 0 || end != text.data() + text.size()) return std::nullopt;
  bytes.resize(count);
  return bytes;
}

std::array<unsigned char, crypto_auth_BYTES> tag_of(std::string_view message,
                                                    const std::array<unsigned char, 32>& key) {
  static_assert(crypto_auth_KEYBYTES == 32);
  std::array<unsigned char, crypto_auth_BYTES> tag{};
  ::crypto_auth(tag.data(),
                reinterpret_cast<const unsigned char*>(message.data()),
                message.size(),
                key.data());
  return tag;
}

void make_key_file(const std::filesystem::path& file) {
  try {
    AtomicFile out(file, Overwrite::kRefuse);
    VOXLOOM_CHECK(::chmod(out.temporary_path().c_str(), 0600) == 0,
                  ErrorCode::kUnavailable,
                  "key file '{}': its mode cannot be set to 0600",
                  file.string());
    out.write(random_hex(32) + "\n");
    out.commit();
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kAlreadyExists)
      throw;  // another program was quicker: its key counts
  }
}

}  // namespace

int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::filesystem::path token_key_file(const std::filesystem::path& users) {
  return users.string() + ".key";
}

TokenSigner TokenSigner::from_key_file(const std::filesystem::path& file) {
  sodium_ready();
  if (!std::filesystem::exists(file)) make_key_file(file);
  struct stat info {};
  VOXLOOM_CHECK(::stat(file.c_str(), &info) == 0 && (info.st_mode & 0077) == 0,
                ErrorCode::kUnavailable,
                "key file '{}': must be readable by its owner alone; use chmod 600",
                file.string());
  const std::string text = read_text_file(file, 1024);
  std::array<unsigned char, 32> key{};
  size_t count = 0;
  const int status =
      ::sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), "\n", &count, nullptr);
  VOXLOOM_CHECK(status == 0 && count == key.size(),
                ErrorCode::kDataCorrupt,
                "key file '{}': must hold 64 hex digits",
                file.string());
  return TokenSigner(key);
}

std::string TokenSigner::sign(const TokenClaims& claims) const {
  sodium_ready();
  const std::string json =
      ordered_json{{"u", claims.user}, {"s", claims.stamp}, {"e", claims.expires}}.dump();
  const std::string message =
      std::string(kPrefix) +
      base64(reinterpret_cast<const unsigned char*>(json.data()), json.size());
  const auto tag = tag_of(message, key_);
  return message + "." + base64(tag.data(), tag.size());
}

std::optional<TokenClaims> TokenSigner::verify(std::string_view token, int64_t now) const {
  sodium_ready();
  if (token.size() > kMaxTokenBytes || token.substr(0, kPrefix.size()) != kPrefix) {
    return std::nullopt;
  }
  const size_t dot = token.rfind('.');
  if (dot < kPrefix.size()) return std::nullopt;
  const auto message = token.substr(0, dot);
  const auto given = from_base64(token.substr(dot + 1));
  const auto right = tag_of(message, key_);
  const std::string_view right_bytes(reinterpret_cast<const char*>(right.data()), right.size());
  if (!given || !equal_secrets(*given, right_bytes)) return std::nullopt;
  // Only what this program signed gets here.
  const auto json_text = from_base64(message.substr(kPrefix.size()));
  if (!json_text) return std::nullopt;
  const auto json = read_json(*json_text).value;
  if (!json.is_object() || !json.contains("u") || !json.contains("s") || !json.contains("e")) {
    return std::nullopt;
  }
  TokenClaims claims{
      json["u"].get<std::string>(), json["s"].get<std::string>(), json["e"].get<int64_t>()};
  if (claims.expires <= now) return std::nullopt;
  return claims;
}

}  // namespace voxloom::serve
