// The users file and tokens: any bytes give accounts or an Error, what is read is written and read
// back unchanged, and no bytes pass as a token.
#include <array>
#include <cstdint>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/serve/auth/tokens.h"
#include "voxloom/serve/auth/users.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::array<unsigned char, 32> key{};
  key.fill(1);
  if (serve::TokenSigner(key).verify(text, 0)) __builtin_trap();
  serve::UserList list;
  try {
    list = serve::parse_users(text, "fuzz");
  } catch (const Error&) {
    return 0;
  }
  // An error here is a find: what was read must be readable again.
  if (serve::parse_users(serve::users_text(list), "again") != list) __builtin_trap();
  return 0;
}
