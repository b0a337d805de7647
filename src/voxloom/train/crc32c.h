#pragma once

#include <cstdint>
#include <string_view>

namespace voxloom::train {

/// CRC-32C (Castagnoli's polynomial, RFC 3720 appendix B.4), as TFRecord files use it.
[[nodiscard]] uint32_t crc32c(std::string_view bytes);

/// The form in which a TFRecord stores it: rotated and shifted, so that a checksum of data that
/// hold checksums is not weak.
[[nodiscard]] uint32_t masked_crc32c(std::string_view bytes);

}  // namespace voxloom::train
