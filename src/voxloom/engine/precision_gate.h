#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/core/progress.h"
#include "voxloom/engine/network.h"
#include "voxloom/weights/package.h"

namespace voxloom::engine {

/// Masks must agree with f32 to this Dice for bf16 to become a package's default.
inline constexpr double kGateDice = 0.98;

/// Neighbouring slices of one volume, and boxes to prompt with.
struct GateCase {
  int64_t height = 0, width = 0;            ///< Of a slice, in pixels.
  std::vector<at::Tensor> images;           ///< [1, 3, S, S] each, normalised.
  int64_t key = 0;                          ///< The slice that gets the boxes.
  std::vector<std::array<float, 4>> boxes;  ///< x0, y0, x1, y1 in pixels of a slice.
};

/// One way to compute: an encoder and the network (with its memory backend) that reads it.
struct GateRun {
  models::sam2::Sam2 network{nullptr};
  SliceEncoder* encoder = nullptr;
};

/// Boxes to try on a slice [1, 3, S, S] of unknown content: the middle of what is brighter than
/// the mean, its four quarters, and a small one at its centre. In pixels of height x width.
[[nodiscard]] std::vector<std::array<float, 4>> simulated_boxes(const at::Tensor& image,
                                                                int64_t height,
                                                                int64_t width);

/// Segments every case twice, each box as an object of its own: prompted on the key slice and
/// tracked to both ends. A slice's Dice is that of all its masks together; the record holds the
/// smallest one over the slices where a mask is found; 0, not passed, where neither run finds any.
/// Deterministic. Throws kInvalidArgument without a slice or without a box.
[[nodiscard]] weights::PrecisionGate measure_precision_gate(const GateRun& reference,
                                                            const GateRun& tested,
                                                            std::span<const GateCase> cases,
                                                            Progress& progress);

}  // namespace voxloom::engine
