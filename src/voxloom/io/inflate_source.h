#pragma once

#include <cstdint>
#include <memory>

#include "voxloom/io/byte_source.h"

namespace voxloom::io {

enum class DeflateFormat {
  kGzipOrZlib,  ///< By the header; gzip may have several members.
  kBare,        ///< Without a header, as in zip archives.
};

/// The expanded bytes of a deflate stream that starts at `offset` of `compressed`.
///
/// Reading forward inflates once. While it goes, the state is kept every few MiB (at most 64
/// copies of about 40 KiB; the distance doubles when they run out), so that a step backward
/// restarts at the last copy before the wanted position and not at the beginning.
/// Checksums are verified where the stream's end is reached. Throws kDataCorrupt naming the file.
[[nodiscard]] std::unique_ptr<ByteSource> inflated_bytes(
    std::unique_ptr<ByteSource> compressed,
    int64_t offset = 0,
    DeflateFormat format = DeflateFormat::kGzipOrZlib,
    int64_t restart_distance = int64_t{8} << 20);

}  // namespace voxloom::io
