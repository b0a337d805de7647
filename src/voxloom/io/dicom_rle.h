#pragma once

#include <cstddef>
#include <span>

namespace voxloom::io {

/// Decodes one RLE frame (DICOM PS3.5 annex G) into `out`: little-endian words of `word_bytes`,
/// colour by pixel. Every offset and run is checked, unlike in DCMTK 3.6.7's decoder, which reads
/// outside a damaged frame. Throws kDataCorrupt.
void decode_rle(std::span<const std::byte> frame,
                size_t samples,
                size_t word_bytes,
                std::span<std::byte> out);

}  // namespace voxloom::io
