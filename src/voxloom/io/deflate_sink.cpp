#include "voxloom/io/deflate_sink.h"

#include <algorithm>
#include <array>
#include <utility>

#include <zlib.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::io {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr size_t kBatchBytes = 16 * kBlockBytes;
constexpr size_t kWindowBytes = size_t{32} << 10;

const Bytef* as_input(std::span<const std::byte> bytes) {
  return reinterpret_cast<const Bytef*>(bytes.data());
}

}  // namespace

/// One block of a batch: input, what may be referred to, and the result.
struct DeflateSink::Block {
  std::span<const std::byte> input, dictionary;
  std::vector<std::byte> output;
  unsigned long checksum = 0;

  void compress(int level, bool last, Wrapper wrapper) {
    z_stream stream{};
    VOXLOOM_CHECK(::deflateInit2(&stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                  ErrorCode::kUnavailable,
                  "deflate: cannot start, out of memory");
    if (!dictionary.empty()) {
      ::deflateSetDictionary(&stream, as_input(dictionary), static_cast<uInt>(dictionary.size()));
    }
    // The bound is for one finished stream; a flush adds at most a few bytes.
    output.resize(::deflateBound(&stream, input.size()) + 64);
    stream.next_in = const_cast<Bytef*>(as_input(input));
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(output.data());
    stream.avail_out = static_cast<uInt>(output.size());
    const int result = ::deflate(&stream, last ? Z_FINISH : Z_SYNC_FLUSH);
    const bool good = last ? result == Z_STREAM_END : result == Z_OK && stream.avail_in == 0;
    output.resize(output.size() - stream.avail_out);
    ::deflateEnd(&stream);
    VOXLOOM_CHECK(good, ErrorCode::kInternal, "deflate: a block did not fit its bound");
    const auto size = static_cast<uInt>(input.size());
    checksum = wrapper == Wrapper::kGzip ? ::crc32(0, as_input(input), size)
                                         : ::adler32(1, as_input(input), size);
  }
};

DeflateSink::DeflateSink(Wrapper wrapper, int level, Output output)
    : wrapper_(wrapper), level_(level), output_(std::move(output)) {
  VOXLOOM_CHECK(level >= 1 && level <= 9,
                ErrorCode::kInvalidArgument,
                "compression level must be within [1, 9], got {}",
                level);
  checksum_ = wrapper == Wrapper::kGzip ? 0 : 1;
  // No time stamp and no system: the same voxels give the same file.
  constexpr std::array<unsigned char, 10> kGzipHeader{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  constexpr std::array<unsigned char, 2> kZlibHeader{0x78, 0x9c};
  if (wrapper == Wrapper::kGzip) {
    emit(std::as_bytes(std::span(kGzipHeader)));
  } else {
    emit(std::as_bytes(std::span(kZlibHeader)));
  }
}

void DeflateSink::emit(std::span<const std::byte> bytes) {
  output_(bytes);
  compressed_ += static_cast<int64_t>(bytes.size());
}

void DeflateSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const size_t room = history_ + kBatchBytes - pending_.size();
    const size_t count = std::min(room, bytes.size());
    pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    // A full batch waits until more bytes come: it may turn out to be the last one.
    if (pending_.size() == history_ + kBatchBytes && !bytes.empty()) compress_pending(false);
  }
}

void DeflateSink::compress_pending(bool last) {
  const std::span<const std::byte> all(pending_);
  std::vector<Block> blocks;
  for (size_t at = history_; at < all.size() || (last && blocks.empty()); at += kBlockBytes) {
    Block block;
    block.input = all.subspan(at, std::min(kBlockBytes, all.size() - at));
    block.dictionary = all.subspan(at - std::min(at, kWindowBytes), std::min(at, kWindowBytes));
    blocks.push_back(std::move(block));
  }
  parallel_for(0, static_cast<int64_t>(blocks.size()), 1, [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      const bool final_block = last && i + 1 == static_cast<int64_t>(blocks.size());
      blocks[static_cast<size_t>(i)].compress(level_, final_block, wrapper_);
    }
  });
  for (const Block& block : blocks) {
    emit(block.output);
    const auto length = static_cast<z_off_t>(block.input.size());
    checksum_ = wrapper_ == Wrapper::kGzip ? ::crc32_combine(checksum_, block.checksum, length)
                                           : ::adler32_combine(checksum_, block.checksum, length);
    total_ += block.input.size();
  }
  const size_t keep = std::min(kWindowBytes, pending_.size());
  pending_.erase(pending_.begin(), pending_.end() - static_cast<ptrdiff_t>(keep));
  history_ = keep;
}

void DeflateSink::finish() {
  compress_pending(true);
  std::array<unsigned char, 8> trailer{};
  if (wrapper_ == Wrapper::kGzip) {
    for (size_t i = 0; i < 4; ++i) {
      trailer[i] = static_cast<unsigned char>(checksum_ >> (8 * i));
      trailer[4 + i] = static_cast<unsigned char>(total_ >> (8 * i));
    }
    emit(std::as_bytes(std::span(trailer)));
  } else {
    for (size_t i = 0; i < 4; ++i)
      trailer[i] = static_cast<unsigned char>(checksum_ >> (24 - 8 * i));
    emit(std::as_bytes(std::span(trailer)).first(4));
  }
}

}  // namespace voxloom::io
