#pragma once

#include <bit>
#include <cstdint>

namespace voxloom::kernels {

/// bfloat16: the upper half of a float. Kept as a plain integer; only products read it.
using Bf16 = uint16_t;

/// Rounds to nearest, ties to even; NaN stays NaN.
inline Bf16 to_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<Bf16>((bits >> 16U) | 0x40U);
  return static_cast<Bf16>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

inline float from_bf16(Bf16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16U);
}

/// Rows of bf16 operands come in multiples of this, the rest zero: the depth of an AMX tile.
inline constexpr int64_t kBf16RowMultiple = 32;

inline int64_t padded_rows(int64_t rows) {
  return (rows + kBf16RowMultiple - 1) / kBf16RowMultiple * kBf16RowMultiple;
}

}  // namespace voxloom::kernels
