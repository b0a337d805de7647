#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace voxloom::models::sam2 {

/// Sine position map [channels, height, width], float32 on the CPU: the first half of the
/// channels encodes y, the second x; even channels hold the sine, odd ones the cosine.
/// Coordinates run from 2 pi / n to 2 pi (Carion et al. 2020, arXiv:2005.12872, normalised form).
[[nodiscard]] at::Tensor sine_position(int64_t channels, int64_t height, int64_t width);

/// Encodes numbers p [P] as [P, channels]: all sines, then all cosines; frequencies in pairs.
[[nodiscard]] at::Tensor sine_of_time(const at::Tensor& p, int64_t channels);

/// Cosines and sines [N, dim / 2] of the axial rotary encoding of a `height` x `width` grid in
/// row-major order: the first dim / 4 pairs turn with x, the others with y.
struct RopeTable {
  at::Tensor cos, sin;
};
[[nodiscard]] RopeTable rope_table(int64_t dim, int64_t height, int64_t width, double theta);

/// Rotates neighbouring channel pairs. x [..., N, dim] -> the same shape.
[[nodiscard]] at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table);

/// Random Fourier features. xy [..., 2] in [0, 1] and matrix [2, C / 2] -> [..., C].
[[nodiscard]] at::Tensor fourier_position(const at::Tensor& xy, const at::Tensor& matrix);

}  // namespace voxloom::models::sam2
