#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace voxloom::metrics {

/// The region and boundary measures of the DAVIS video benchmark (Perazzi et al., CVPR 2016).
///
/// The outline here is DAVIS's own, not that of surface_pixels(): a pixel that differs from its
/// right, lower or lower right neighbour. Precision is the share of predicted outline pixels within
/// the tolerance of a true one, recall the reverse, F their harmonic mean. The tolerance is the
/// image diagonal times 0.008, rounded up. Two empty outlines: 1; one empty: 0.
[[nodiscard]] double davis_f(std::span<const uint8_t> truth,
                             std::span<const uint8_t> predicted,
                             int64_t width,
                             int64_t height,
                             double tolerance_share = 0.008);

/// One frame of a sequence: J is the IoU of the frame (two empty masks: 1), F from davis_f().
struct DavisFrame {
  double j = 0.0, f = 0.0;
  bool truth_empty = false;
};

struct DavisSummary {
  double j_mean = 0.0, f_mean = 0.0;
  double j_recall = 0.0, f_recall = 0.0;  ///< Share of frames above 0.5.
  int64_t frames = 0;                     ///< That were counted.
};

/// Over a sequence from the frame in which the object is first there; that frame (given to the
/// method) and the sequence's last frame are left out. Absent when no frame is left.
[[nodiscard]] std::optional<DavisSummary> davis_summary(std::span<const DavisFrame> frames);

}  // namespace voxloom::metrics
