#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/filters/frame_view.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::filters {

/// Multi-scale Frangi measure (guidewire.md 2.5): per scale exp(-RB^2 / (2 beta^2)) (1 - exp(-S^2 /
/// (2 c^2))) where l2 has the sign of the wanted lines, else 0; then the highest over scales. RB =
/// |l1| / |l2|, S^2 = l1^2 + l2^2, c half of the scale's largest S inside the field (but
/// at least one grey level of 8 bits).
///
/// It is a feature, not a mask: where two wires cross both eigenvalues are large and it drops to 0.
/// Keeps its buffers between frames. Not thread-safe; uses the thread budget.
class Frangi {
 public:
  /// Throws kInvalidArgument: no sigma, one outside [0.8, 20], beta or c out of range.
  explicit Frangi(infer::FrangiOptions options);
  /// out [height, width] in [0, 1). Throws kInvalidArgument for a wrong length.
  void operator()(const FrameView& view, std::span<float> out);
  [[nodiscard]] const infer::FrangiOptions& options() const { return options_; }

 private:
  infer::FrangiOptions options_;
  std::vector<float> l1_, l2_;
};

/// One scale of the same in double, for reference values; `c` as in FrangiOptions. Returns V
/// [height, width] and the c that was used.
struct FrangiScale {
  std::vector<double> v;
  double c = 0.0;
};
[[nodiscard]] FrangiScale frangi_scale(std::span<const double> image,
                                       int64_t width,
                                       int64_t height,
                                       double sigma,
                                       const infer::FrangiOptions& options);

}  // namespace voxloom::filters
