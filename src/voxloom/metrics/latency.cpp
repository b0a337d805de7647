#include "voxloom/metrics/latency.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/metrics/bootstrap.h"

namespace voxloom::metrics {

nlohmann::ordered_json LatencySummary::to_json() const {
  return {{"frames", frames},
          {"mean_ms", mean_ms},
          {"p50_ms", p50_ms},
          {"p95_ms", p95_ms},
          {"p99_ms", p99_ms},
          {"max_ms", max_ms},
          {"frames_per_s", frames_per_s}};
}

LatencySummary summarize_latency(std::span<const double> ms, int64_t warm_up) {
  VOXLOOM_CHECK(warm_up >= 0 && static_cast<size_t>(warm_up) < ms.size(),
                ErrorCode::kInvalidArgument,
                "latency: needs more frames than the {} of the warm-up, got {}",
                warm_up,
                ms.size());
  const auto counted = ms.subspan(static_cast<size_t>(warm_up));
  for (const double t : counted) {
    VOXLOOM_CHECK(t >= 0 && std::isfinite(t),
                  ErrorCode::kInvalidArgument,
                  "latency: times must be finite and not negative, got {} ms",
                  t);
  }
  LatencySummary out;
  out.frames = static_cast<int64_t>(counted.size());
  out.mean_ms = mean(counted);
  out.p50_ms = quantile(counted, 0.5);
  out.p95_ms = quantile(counted, 0.95);
  out.p99_ms = quantile(counted, 0.99);
  out.max_ms = *std::max_element(counted.begin(), counted.end());
  out.frames_per_s = out.mean_ms > 0 ? 1000.0 / out.mean_ms : 0.0;
  return out;
}

}  // namespace voxloom::metrics
