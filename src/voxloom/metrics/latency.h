#pragma once

#include <cstdint>
#include <span>

#include <nlohmann/json_fwd.hpp>

namespace voxloom::metrics {

/// How long a frame took. Real time, for X-ray video, means p95_ms <= 33 end to end.
struct LatencySummary {
  int64_t frames = 0;  ///< Counted, warm-up left out.
  double mean_ms = 0.0, p50_ms = 0.0, p95_ms = 0.0, p99_ms = 0.0, max_ms = 0.0;
  double frames_per_s = 0.0;  ///< One frame after the other: 1000 / mean_ms.

  /// {"frames", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms", "frames_per_s"}.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
};

/// Of the frames after the first `warm_up`. Percentiles interpolate between order statistics.
/// Throws kInvalidArgument when no frame is left or a time is negative or not finite.
[[nodiscard]] LatencySummary summarize_latency(std::span<const double> ms, int64_t warm_up = 50);

}  // namespace voxloom::metrics
