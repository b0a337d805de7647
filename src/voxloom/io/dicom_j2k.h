#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::io {

/// Decodes a JPEG 2000 code stream (or a JP2 file) of exactly rows x columns pixels.
/// Returns samples as the code stream means them, colour by pixel: index (row * columns + column)
/// * samples + sample. Throws kDataCorrupt when the stream is broken or has another shape.
[[nodiscard]] std::vector<int32_t> decode_jpeg2000(std::span<const std::byte> stream,
                                                   int64_t rows,
                                                   int64_t columns,
                                                   int samples);

}  // namespace voxloom::io
