#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::image {

/// A binary picture with a rim of background, so that every pixel has eight neighbours. Shared by
/// the thinnings and what is done to skeletons; not for use outside this layer.
class PaddedMask {
 public:
  /// The neighbourhood of a pixel, clockwise from north: bit 0 is P2 (N) of the thinning papers,
  /// then P3 (NE), P4 (E), P5 (SE), P6 (S), P7 (SW), P8 (W), P9 (NW).
  using Code = uint32_t;

  PaddedMask(std::span<const uint8_t> mask, int64_t width, int64_t height)
      : width_(width), height_(height), stride_(width + 2) {
    pixels_.assign(static_cast<size_t>(stride_ * (height + 2)), 0);
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        pixels_[at(x, y)] = mask[static_cast<size_t>(y * width + x)] != 0;
      }
    }
    const int64_t s = stride_;
    around_ = {-s, -s + 1, 1, s + 1, s, s - 1, -1, -s - 1};
  }

  [[nodiscard]] size_t at(int64_t x, int64_t y) const {
    return static_cast<size_t>((y + 1) * stride_ + x + 1);
  }
  /// Memory index in the picture without rim.
  [[nodiscard]] size_t inner(size_t i) const {
    const auto k = static_cast<int64_t>(i);
    return static_cast<size_t>((k / stride_ - 1) * width_ + k % stride_ - 1);
  }
  [[nodiscard]] size_t next(size_t i, size_t direction) const {
    return static_cast<size_t>(static_cast<int64_t>(i) + around_[direction]);
  }
  [[nodiscard]] Code code(size_t i) const {
    Code c = 0;
    for (size_t d = 0; d < 8; ++d) c |= static_cast<Code>(pixels_[next(i, d)]) << d;
    return c;
  }
  /// In memory order.
  [[nodiscard]] std::vector<size_t> foreground() const {
    std::vector<size_t> list;
    for (size_t i = 0; i < pixels_.size(); ++i) {
      if (pixels_[i] != 0) list.push_back(i);
    }
    return list;
  }
  [[nodiscard]] bool operator[](size_t i) const { return pixels_[i] != 0; }
  [[nodiscard]] size_t size() const { return pixels_.size(); }
  void clear(size_t i) { pixels_[i] = 0; }

  /// The picture without rim.
  [[nodiscard]] std::vector<uint8_t> cut() const {
    std::vector<uint8_t> out(static_cast<size_t>(width_ * height_));
    for (int64_t y = 0; y < height_; ++y) {
      std::copy_n(
          pixels_.begin() + static_cast<int64_t>(at(0, y)), width_, out.begin() + y * width_);
    }
    return out;
  }

 private:
  int64_t width_, height_, stride_;
  std::array<int64_t, 8> around_{};
  std::vector<uint8_t> pixels_;
};

/// P2 ... P9 of a neighbourhood.
[[nodiscard]] constexpr bool neighbour(PaddedMask::Code code, int number) {
  return ((code >> (number - 2)) & 1U) != 0;
}

/// A pixel that can go without changing the topology (8-connected lines, 4-connected ground): its
/// neighbours hang together without it, and the ground reaches it through a side.
[[nodiscard]] constexpr bool is_simple(PaddedMask::Code c) {
  constexpr PaddedMask::Code kSides = 0b01010101;
  if ((c & kSides) == kSides) return false;
  // Hilditch's crossing number: the number of 8-connected pieces around the pixel.
  int pieces = 0;
  for (int i = 2; i <= 8; i += 2) {
    pieces += !neighbour(c, i) && (neighbour(c, i + 1) || neighbour(c, i == 8 ? 2 : i + 2));
  }
  return pieces == 1;
}

}  // namespace voxloom::image
