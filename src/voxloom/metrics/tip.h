#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace voxloom::metrics {

/// A position (x, y) in pixels; absent: there is none, or none was found.
using Tip = std::optional<std::array<double, 2>>;

/// Euclidean distance in pixels; absent unless both tips are there.
[[nodiscard]] std::optional<double> tip_error(const Tip& truth, const Tip& predicted);

/// Tip localisation over frames. A tip that was not found is a failure of its own: it is counted,
/// misses at every radius, and is not averaged in.
struct TipSummary {
  int64_t frames = 0;    ///< With a true tip.
  int64_t missing = 0;   ///< Of those, without a predicted one.
  int64_t spurious = 0;  ///< Frames without a true tip that have a predicted one.
  std::optional<double> mean_px, median_px, p95_px;  ///< Over found tips; absent when none was.
  std::vector<double> radius_px;                     ///< As asked for.
  std::vector<double> pck;  ///< Share of `frames` within each radius; empty without frames.
};

/// truth and predicted frame by frame. Throws kInvalidArgument for different lengths.
[[nodiscard]] TipSummary summarize_tips(std::span<const Tip> truth,
                                        std::span<const Tip> predicted,
                                        std::span<const double> radius_px);
/// At the radii that are usual: 3, 5 and 10 px.
[[nodiscard]] TipSummary summarize_tips(std::span<const Tip> truth, std::span<const Tip> predicted);

/// Restlessness of a tip in a sequence: mean of |t[i] - 2 t[i-1] + t[i-2]| in pixels over the
/// frames where all three are there; absent when there are none.
[[nodiscard]] std::optional<double> tip_jitter(std::span<const Tip> tips);

}  // namespace voxloom::metrics
