#include "voxloom/io/inflate_source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <zlib.h>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

constexpr size_t kInputBytes = size_t{256} << 10;
constexpr size_t kMaxRestarts = 64;
// Deflate can't expand a byte to more than 1032 (a 258-byte match in two bits).
constexpr int64_t kMaxRatio = 1032;
constexpr int kAutoDetect = 15 + 32;  // window bits: gzip or zlib by the header
constexpr int kGzip = 15 + 16;

/// A z_stream that ends itself and can be copied.
class InflateState {
 public:
  explicit InflateState(int window_bits) {
    VOXLOOM_CHECK(::inflateInit2(&stream_, window_bits) == Z_OK,
                  ErrorCode::kUnavailable,
                  "inflate: cannot start, out of memory");
  }
  InflateState(const InflateState& other) { copy(other); }
  InflateState& operator=(const InflateState& other) {
    if (this == &other) return *this;
    ::inflateEnd(&stream_);
    copy(other);
    return *this;
  }
  ~InflateState() { ::inflateEnd(&stream_); }

  z_stream* operator->() { return &stream_; }
  z_stream* get() { return &stream_; }

 private:
  void copy(const InflateState& other) {
    // zlib takes the source without const but does not change it.
    VOXLOOM_CHECK(::inflateCopy(&stream_, const_cast<z_stream*>(&other.stream_)) == Z_OK,
                  ErrorCode::kUnavailable,
                  "inflate: cannot keep its state, out of memory");
    stream_.next_in = nullptr;
    stream_.avail_in = 0;
  }

  z_stream stream_{};
};

class InflatedBytes final : public ByteSource {
 public:
  InflatedBytes(std::unique_ptr<ByteSource> compressed,
                int64_t offset,
                DeflateFormat format,
                int64_t restart_distance)
      : compressed_(std::move(compressed)),
        start_(offset),
        bare_(format == DeflateFormat::kBare),
        state_(bare_ ? -15 : kAutoDetect),
        input_at_(offset),
        distance_(std::max<int64_t>(restart_distance, 1)),
        input_(kInputBytes),
        scratch_(kInputBytes) {
    restarts_.reserve(kMaxRestarts);
    restarts_.push_back({state_, 0, start_});
  }

  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    seek(offset);
    while (position_ < offset && !ended_) {
      const auto skip =
          std::min<uint64_t>(scratch_.size(), static_cast<uint64_t>(offset - position_));
      inflate_some(std::span(scratch_).first(static_cast<size_t>(skip)));
    }
    if (position_ < offset) return 0;
    size_t done = 0;
    while (done < out.size() && !ended_) done += inflate_some(out.subspan(done));
    return done;
  }

  int64_t compressed_bytes() const override {
    return std::max<int64_t>(compressed_->size_limit() - start_, 0);
  }
  int64_t size_limit() const override {
    const int64_t length = compressed_bytes();
    return length > INT64_MAX / kMaxRatio ? INT64_MAX : length * kMaxRatio;
  }
  const std::string& name() const override { return compressed_->name(); }

 private:
  struct Restart {
    InflateState state;
    int64_t position;  ///< Expanded bytes before this point.
    int64_t input_at;  ///< Where the compressed bytes go on.
  };

  /// Jumps to the kept state nearest before `offset` when that saves work.
  void seek(int64_t offset) {
    const auto after = std::upper_bound(
        restarts_.begin(), restarts_.end(), offset, [](int64_t value, const Restart& restart) {
          return value < restart.position;
        });
    const Restart& best = *std::prev(after);
    if (offset >= position_ && best.position <= position_) return;
    state_ = best.state;
    position_ = best.position;
    input_at_ = best.input_at;
    ended_ = false;
  }

  void keep_state() {
    if (position_ < restarts_.back().position + distance_) return;
    if (restarts_.size() >= kMaxRestarts) {
      for (size_t i = 1; 2 * i < restarts_.size(); ++i) restarts_[i] = std::move(restarts_[2 * i]);
      restarts_.erase(restarts_.begin() + static_cast<ptrdiff_t>(restarts_.size() / 2),
                      restarts_.end());
      distance_ *= 2;
      if (position_ < restarts_.back().position + distance_) return;
    }
    restarts_.push_back({state_, position_, input_at_ - state_->avail_in});
  }

  bool refill() {
    const size_t got = compressed_->read_some(input_at_, std::as_writable_bytes(std::span(input_)));
    input_at_ += static_cast<int64_t>(got);
    state_->next_in = input_.data();
    state_->avail_in = static_cast<uInt>(got);
    return got > 0;
  }

  /// Another gzip member may follow; anything else after the end is padding.
  void begin_next_member() {
    unsigned char magic[2];
    const int64_t next = input_at_ - state_->avail_in;
    const bool more = !bare_ &&
                      compressed_->read_some(next, std::as_writable_bytes(std::span(magic))) == 2 &&
                      magic[0] == 0x1f && magic[1] == 0x8b;
    ended_ = !more;
    if (more) ::inflateReset2(state_.get(), kGzip);
  }

  size_t inflate_some(std::span<std::byte> out) {
    keep_state();
    // Even without more input the state may hold output, so the end is known only below.
    const bool dry = state_->avail_in == 0 && !refill();
    const int64_t to_mark = restarts_.back().position + distance_ - position_;
    const auto want = static_cast<uInt>(std::min<uint64_t>(
        {out.size(), uint64_t{1} << 30, static_cast<uint64_t>(std::max<int64_t>(to_mark, 1))}));
    state_->next_out = reinterpret_cast<Bytef*>(out.data());
    state_->avail_out = want;
    const int result = ::inflate(state_.get(), Z_NO_FLUSH);
    const size_t made = want - state_->avail_out;
    VOXLOOM_CHECK(!dry || made > 0 || result == Z_STREAM_END,
                  ErrorCode::kDataCorrupt,
                  "'{}': compressed data is cut off after {} bytes",
                  name(),
                  position_);
    position_ += static_cast<int64_t>(made);
    if (result == Z_STREAM_END) {
      begin_next_member();
    } else {
      VOXLOOM_CHECK(result == Z_OK || result == Z_BUF_ERROR,
                    result == Z_MEM_ERROR ? ErrorCode::kUnavailable : ErrorCode::kDataCorrupt,
                    "'{}': compressed data must be a valid gzip or zlib stream, got an error after "
                    "{} bytes: {}",
                    name(),
                    position_,
                    state_->msg != nullptr ? state_->msg : "preset dictionary");
    }
    return made;
  }

  std::unique_ptr<ByteSource> compressed_;
  int64_t start_;
  bool bare_;
  InflateState state_;
  int64_t position_ = 0;  ///< Expanded bytes made so far.
  int64_t input_at_;      ///< Compressed bytes taken into input_ so far.
  int64_t distance_;
  bool ended_ = false;
  std::vector<Bytef> input_;
  std::vector<std::byte> scratch_;
  std::vector<Restart> restarts_;  ///< Sorted by position; the first is the beginning.
};

}  // namespace

std::unique_ptr<ByteSource> inflated_bytes(std::unique_ptr<ByteSource> compressed,
                                           int64_t offset,
                                           DeflateFormat format,
                                           int64_t restart_distance) {
  return std::make_unique<InflatedBytes>(std::move(compressed), offset, format, restart_distance);
}

}  // namespace voxloom::io
