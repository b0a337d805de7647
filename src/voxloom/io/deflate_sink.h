#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace voxloom::io {

/// Compresses bytes that come in order into one gzip or zlib stream, block by block on all
/// threads. Blocks are 1 MiB whatever the number of threads, and each may refer to the 32 KiB
/// before it, so the result is always the same and within 1 % of one-piece compression.
class DeflateSink {
 public:
  enum class Wrapper { kGzip, kZlib };
  using Output = std::function<void(std::span<const std::byte>)>;

  /// `level` within [1, 9]. Throws kInvalidArgument otherwise.
  DeflateSink(Wrapper wrapper, int level, Output output);

  void write(std::span<const std::byte> bytes);
  /// Ends the stream; nothing can be written afterwards.
  void finish();
  /// Compressed bytes put out so far.
  [[nodiscard]] int64_t compressed_bytes() const { return compressed_; }

 private:
  struct Block;
  void emit(std::span<const std::byte> bytes);
  void compress_pending(bool last);

  Wrapper wrapper_;
  int level_;
  Output output_;
  std::vector<std::byte> pending_;  ///< `history_` bytes that were compressed, then new ones.
  size_t history_ = 0;
  unsigned long checksum_ = 0;
  uint64_t total_ = 0;
  int64_t compressed_ = 0;
};

}  // namespace voxloom::io
