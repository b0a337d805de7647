#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace voxloom {

using Sha256Digest = std::array<uint8_t, 32>;

/// SHA-256 (FIPS 180-4) of bytes given piece by piece. Uses the processor's SHA instructions
/// where it has them, unless told otherwise.
class Sha256 {
 public:
  enum class Engine { kFastest, kPortable };

  explicit Sha256(Engine engine = Engine::kFastest);
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// The digest of all bytes so far; the object starts anew.
  [[nodiscard]] Sha256Digest finish();

 private:
  Engine engine_;
  std::array<uint32_t, 8> state_;
  std::array<std::byte, 64> block_;
  size_t filled_ = 0;
  uint64_t total_ = 0;
};

/// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const Sha256Digest& digest);

[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);
[[nodiscard]] std::string sha256_hex(std::string_view text);

/// Of a whole file. Throws as map_file() does.
[[nodiscard]] std::string sha256_file(const std::filesystem::path& path);

}  // namespace voxloom
