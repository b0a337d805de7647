#include "voxloom/io/voxel_source.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::PixelType;
using image::Volume;

static_assert(std::endian::native == std::endian::little);

constexpr int64_t kChunkBytes = int64_t{4} << 20;

template <size_t kWidth>
void swap_all(std::span<std::byte> bytes) {
  const auto count = static_cast<int64_t>(bytes.size() / kWidth);
  parallel_for(0, count, int64_t{1} << 20, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      std::byte* p = bytes.data() + static_cast<size_t>(i) * kWidth;
      std::reverse(p, p + kWidth);
    }
  });
}

void swap_bytes(std::span<std::byte> bytes, size_t width) {
  if (width == 2) swap_all<2>(bytes);
  if (width == 4) swap_all<4>(bytes);
  if (width == 8) swap_all<8>(bytes);
}

class StoredVoxels final : public image::VolumeSource {
 public:
  StoredVoxels(const VoxelLayout& layout, std::unique_ptr<ByteSource> bytes)
      : layout_(layout), bytes_(std::move(bytes)) {}

  const Geometry& geometry() const override { return layout_.geometry; }
  PixelType type() const override { return layout_.type; }

  Volume read_slab(int64_t z0, int64_t z1) override {
    const Geometry geometry = image::slab_geometry(layout_.geometry, z0, z1);
    const auto width = static_cast<int64_t>(image::bytes_per_voxel(layout_.stored));
    const int64_t start = z0 * layout_.geometry.size[0] * layout_.geometry.size[1] * width;
    check_claim(start + geometry.voxel_count() * width);
    Volume out(geometry, layout_.type);
    if (layout_.slope == 1.0 && layout_.intercept == 0.0) {
      bytes_->read_exact(start, out.bytes(), "voxel data");
      if (layout_.swap_bytes) swap_bytes(out.bytes(), static_cast<size_t>(width));
      return out;
    }
    const int64_t total = out.voxel_count() * width;
    std::vector<std::byte> chunk(static_cast<size_t>(std::min(total, kChunkBytes)));
    for (int64_t at = 0; at < total; at += kChunkBytes) {
      const auto part =
          std::span(chunk).first(static_cast<size_t>(std::min(total - at, kChunkBytes)));
      bytes_->read_exact(start + at, part, "voxel data");
      if (layout_.swap_bytes) swap_bytes(part, static_cast<size_t>(width));
      rescale(part, out, at / width);
    }
    return out;
  }

 private:
  /// Compressed data may claim a thousand times its length. Where a claim is large and above what
  /// images reach, the last byte is looked for (in bounded memory) before the slab is allocated.
  void check_claim(int64_t end) {
    constexpr int64_t kLarge = int64_t{256} << 20, kUsualRatio = 64;
    const int64_t packed = bytes_->compressed_bytes();
    if (packed == 0 || end < kLarge || end <= checked_ || end / kUsualRatio < packed) return;
    std::byte last{};
    bytes_->read_exact(end - 1, {&last, 1}, "voxel data");
    checked_ = end;
  }

  void rescale(std::span<const std::byte> part, Volume& out, int64_t first) const {
    image::dispatch(layout_.stored, [&](auto from) {
      using From = decltype(from);
      image::dispatch(layout_.type, [&](auto to) {
        using To = decltype(to);
        const auto target = out.as<To>().subspan(static_cast<size_t>(first));
        for (size_t i = 0; i < part.size() / sizeof(From); ++i) {
          From stored;
          std::memcpy(&stored, part.data() + i * sizeof(From), sizeof(From));
          // An integer type was chosen so that every value is whole and inside it.
          target[i] =
              static_cast<To>(layout_.slope * static_cast<double>(stored) + layout_.intercept);
        }
      });
    });
  }

  VoxelLayout layout_;
  std::unique_ptr<ByteSource> bytes_;
  int64_t checked_ = 0;  ///< Bytes known to be there.
};

class TextVoxels final : public image::VolumeSource {
 public:
  TextVoxels(const VoxelLayout& layout, std::unique_ptr<ByteSource> bytes)
      : layout_(layout), bytes_(std::move(bytes)) {}

  const Geometry& geometry() const override { return layout_.geometry; }
  PixelType type() const override { return layout_.type; }
  Volume read_slab(int64_t z0, int64_t z1) override {
    if (volume_.empty()) parse();
    return volume_.slab(z0, z1);
  }

 private:
  static bool blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == '\f' || c == '\v';
  }

  void parse() {
    Volume volume(layout_.geometry, layout_.type);
    image::dispatch(layout_.type, [&](auto t) {
      for (auto& voxel : volume.as<decltype(t)>()) voxel = next_value<decltype(t)>();
    });
    volume_ = std::move(volume);
    buffer_.clear();
  }

  template <class T>
  T next_value() {
    const std::string_view token = next_token();
    T value{};
    const char* begin = token.data() + (token.starts_with('+') ? 1 : 0);
    const char* end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(begin, end, value);
    VOXLOOM_CHECK(error == std::errc() && stop == end,
                  ErrorCode::kDataCorrupt,
                  "'{}': voxel data must be numbers of type {}, got '{}'",
                  bytes_->name(),
                  image::pixel_type_name(layout_.type),
                  token);
    return value;
  }

  std::string_view next_token() {
    constexpr size_t kMaxToken = 64;
    for (;;) {
      while (at_ < buffer_.size() && blank(buffer_[at_])) ++at_;
      size_t end = at_;
      while (end < buffer_.size() && !blank(buffer_[end])) ++end;
      if (end < buffer_.size() || (finished_ && end > at_)) {
        const std::string_view token(buffer_.data() + at_, end - at_);
        VOXLOOM_CHECK(token.size() <= kMaxToken,
                      ErrorCode::kDataCorrupt,
                      "'{}': voxel data must be numbers, got a word of {} letters",
                      bytes_->name(),
                      token.size());
        at_ = end;
        return token;
      }
      VOXLOOM_CHECK(!finished_,
                    ErrorCode::kDataCorrupt,
                    "'{}': voxel data is cut off: must hold {} numbers",
                    bytes_->name(),
                    layout_.geometry.voxel_count());
      refill();
    }
  }

  void refill() {
    constexpr size_t kBlock = size_t{64} << 10;
    buffer_.erase(0, at_);
    at_ = 0;
    const size_t kept = buffer_.size();
    VOXLOOM_CHECK(kept < kBlock,
                  ErrorCode::kDataCorrupt,
                  "'{}': voxel data must be numbers with blanks between",
                  bytes_->name());
    buffer_.resize(kept + kBlock);
    const size_t got =
        bytes_->read_some(read_, std::as_writable_bytes(std::span(buffer_)).subspan(kept));
    buffer_.resize(kept + got);
    read_ += static_cast<int64_t>(got);
    finished_ = got == 0;
  }

  VoxelLayout layout_;
  std::unique_ptr<ByteSource> bytes_;
  Volume volume_;
  std::string buffer_;
  size_t at_ = 0;
  int64_t read_ = 0;
  bool finished_ = false;
};

void check_layout(const VoxelLayout& layout, const ByteSource& bytes, int64_t bytes_per_voxel) {
  try {
    layout.geometry.validate();
  } catch (const Error& error) {
    throw error.with_context(format("'{}'", bytes.name()));
  }
  // At most 2^40 voxels of 8 bytes: no overflow.
  const int64_t needed = layout.geometry.voxel_count() * bytes_per_voxel;
  VOXLOOM_CHECK(needed <= bytes.size_limit(),
                ErrorCode::kDataCorrupt,
                "'{}': voxel data is cut off: the header's {} {} voxels need {} bytes, the file "
                "can hold {}",
                bytes.name(),
                image::describe(layout.geometry),
                image::pixel_type_name(layout.stored),
                needed,
                bytes.size_limit());
}

}  // namespace

PixelType rescaled_type(PixelType stored, double slope, double intercept) {
  if (slope == 1.0 && intercept == 0.0) return stored;
  const bool wide = image::bytes_per_voxel(stored) > 2 && stored != PixelType::kFloat32;
  const PixelType real = wide ? PixelType::kFloat64 : PixelType::kFloat32;
  if (stored == PixelType::kFloat32 || stored == PixelType::kFloat64) return real;
  if (slope != std::floor(slope) || intercept != std::floor(intercept)) return real;
  const auto [a, b] = image::dispatch(stored, [&](auto t) {
    using Limits = std::numeric_limits<decltype(t)>;
    return std::pair(slope * static_cast<double>(Limits::min()) + intercept,
                     slope * static_cast<double>(Limits::max()) + intercept);
  });
  for (const PixelType type : {PixelType::kUint8,
                               PixelType::kInt8,
                               PixelType::kInt16,
                               PixelType::kUint16,
                               PixelType::kInt32,
                               PixelType::kUint32}) {
    const bool fits = image::dispatch(type, [&, lo = std::min(a, b), hi = std::max(a, b)](auto t) {
      using Limits = std::numeric_limits<decltype(t)>;
      return lo >= static_cast<double>(Limits::lowest()) &&
             hi <= static_cast<double>(Limits::max());
    });
    if (fits) return type;
  }
  return real;
}

std::unique_ptr<image::VolumeSource> make_voxel_source(const VoxelLayout& layout,
                                                       std::unique_ptr<ByteSource> bytes) {
  check_layout(layout, *bytes, static_cast<int64_t>(image::bytes_per_voxel(layout.stored)));
  return std::make_unique<StoredVoxels>(layout, std::move(bytes));
}

std::unique_ptr<image::VolumeSource> make_text_voxel_source(const VoxelLayout& layout,
                                                            std::unique_ptr<ByteSource> bytes) {
  check_layout(layout, *bytes, 1);  // a digit each at least
  return std::make_unique<TextVoxels>(layout, std::move(bytes));
}

}  // namespace voxloom::io
