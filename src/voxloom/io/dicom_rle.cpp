#include "voxloom/io/dicom_rle.h"

#include <cstdint>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

constexpr size_t kHeaderBytes = 64;  // A count and 15 offsets.

size_t number_at(std::span<const std::byte> bytes, size_t at) {
  size_t value = 0;
  for (size_t i = 4; i-- > 0;) value = (value << 8) | static_cast<size_t>(bytes[at + i]);
  return value;
}

// One byte plane: a control byte n, then n + 1 literal bytes (0..127) or one byte repeated
// 257 - n times (129..255). A plane may end with padding.
void decode_plane(std::span<const std::byte> in,
                  size_t plane,
                  size_t stride,
                  std::span<std::byte> out) {
  size_t at = 0, to = plane;
  while (to < out.size()) {
    VOXLOOM_CHECK(at < in.size(),
                  ErrorCode::kDataCorrupt,
                  "rle frame: plane {} must hold {} bytes, got {}",
                  plane + 1,
                  out.size() / stride,
                  to / stride);
    const auto control = static_cast<unsigned>(in[at++]);
    if (control == 128) continue;
    const bool literal = control < 128;
    const size_t count = literal ? control + 1 : 257 - control;
    VOXLOOM_CHECK((literal ? count : 1) <= in.size() - at,
                  ErrorCode::kDataCorrupt,
                  "rle frame: a run of plane {} must end within it",
                  plane + 1);
    for (size_t i = 0; i < count && to < out.size(); ++i, to += stride) {
      out[to] = in[literal ? at + i : at];
    }
    at += literal ? count : 1;
  }
}

}  // namespace

void decode_rle(std::span<const std::byte> frame,
                size_t samples,
                size_t word_bytes,
                std::span<std::byte> out) {
  const size_t planes = samples * word_bytes;
  VOXLOOM_CHECK(frame.size() >= kHeaderBytes && number_at(frame, 0) == planes && planes <= 15,
                ErrorCode::kDataCorrupt,
                "rle frame: must have a header of {} planes, got {} bytes",
                planes,
                frame.size());
  for (size_t p = 0; p < planes; ++p) {
    const size_t first = number_at(frame, 4 + 4 * p);
    const size_t last = p + 1 < planes ? number_at(frame, 8 + 4 * p) : frame.size();
    VOXLOOM_CHECK(kHeaderBytes <= first && first <= last && last <= frame.size(),
                  ErrorCode::kDataCorrupt,
                  "rle frame: plane {} must lie within its {} bytes, got {} to {}",
                  p + 1,
                  frame.size(),
                  first,
                  last);
    // The most significant byte of a sample comes first.
    const size_t sample = p / word_bytes, byte = word_bytes - 1 - p % word_bytes;
    decode_plane(frame.subspan(first, last - first), sample * word_bytes + byte, planes, out);
  }
}

}  // namespace voxloom::io
