#pragma once

#include <cstdint>

#include "voxloom/kernels/buffer.h"

namespace voxloom::kernels {

/// Axial rotary position embedding of SAM 2 on a grid of tokens (Su et al. 2021,
/// arXiv:2104.09864; real form of sam2/modeling/position_encoding.py, apply_rotary_enc).
///
/// Token n lies at x = n % width, y = n / width. The first half of the channels turns with x, the
/// second with y; in each half the neighbouring pair p turns by angle * theta^(-4 p / channels).
/// The angles separate, so the table holds width + height rows instead of width * height.
class RopeTable {
 public:
  /// channels: a multiple of 4. Throws kInvalidArgument otherwise or for an empty grid.
  RopeTable(int64_t channels, int64_t grid_height, int64_t grid_width, double theta = 10000.0);

  [[nodiscard]] int64_t channels() const { return channels_; }
  [[nodiscard]] int64_t tokens() const { return height_ * width_; }

  /// The tables, for a copy on a GPU: [positions()][channels / 2], entries 2p and 2p+1 of a pair
  /// alike but for the minus sign of the even sines.
  [[nodiscard]] const float* cosine() const { return cosine_.data(); }
  [[nodiscard]] const float* sine() const { return sine_.data(); }
  [[nodiscard]] int64_t positions() const { return height_ > width_ ? height_ : width_; }

  /// y [rows, channels] = rotated x [rows, channels], rows being the tokens first_token,
  /// first_token + 1, ... of the grid. shift [channels], if given, is added to every row before
  /// it turns (rotation is linear, so this adds a rotated table without storing one). y may be x.
  /// Runs on the calling thread.
  void apply(const float* x,
             int64_t first_token,
             int64_t rows,
             float* y,
             const float* shift = nullptr) const;

 private:
  int64_t channels_, height_, width_;
  Buffer<float> cosine_, sine_;
};

}  // namespace voxloom::kernels
