#include "voxloom/jobs/uuid.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include <sys/random.h>

#include "voxloom/core/error.h"

namespace voxloom::jobs {
namespace {

using Bytes = std::array<uint8_t, 16>;

Bytes random_bytes() {
  Bytes bytes{};
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    VOXLOOM_CHECK(got > 0, ErrorCode::kUnavailable, "the system gives no random numbers");
    filled += static_cast<size_t>(got);
  }
  return bytes;
}

std::string hexadecimal(const Bytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace

std::string make_token() {
  return hexadecimal(random_bytes());
}

std::string make_uuid() {
  Bytes bytes = random_bytes();
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0f) | 0x40);  // version 4
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3f) | 0x80);  // variant of RFC 4122
  std::string text = hexadecimal(bytes);
  for (const size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace voxloom::jobs
