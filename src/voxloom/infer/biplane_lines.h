#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/infer/biplane_curve.h"

namespace voxloom::infer {

/// What a line of `wire track` says about the main wire.
struct TrackedLine {
  int64_t frame = 0;
  double time_s = 0.0;
  std::string state;                           ///< "tracking", "predicted", "lost".
  std::optional<std::array<int64_t, 2>> size;  ///< width, height of the frame, px.
  ViewCurve curve;                             ///< Empty when lost.
};

/// Reads the lines of one video; text from outside. Times must not fall. Throws kDataCorrupt that
/// starts with `where` and the number of the line.
[[nodiscard]] std::vector<TrackedLine> parse_tracked_lines(std::string_view text,
                                                           const std::string& where);

/// Indices of lines of both views.
struct LinePair {
  size_t a = 0, b = 0;
  double skew_s = 0.0;  ///< Time of b less time of a, with offsets.
};

/// Lines nearest in time, each used once, at most `max_skew_s` apart. offset_s: added to the times.
[[nodiscard]] std::vector<LinePair> pair_lines(const std::vector<TrackedLine>& a,
                                               const std::vector<TrackedLine>& b,
                                               const std::array<double, 2>& offset_s,
                                               double max_skew_s);

/// The reconstruction of a pair. Predicted and lost lines are no evidence: not found, with the
/// reason.
[[nodiscard]] BiplaneCurve reconstruct_pair(const BiplaneRig& rig,
                                            const TrackedLine& a,
                                            const TrackedLine& b,
                                            const BiplaneOptions& options);

/// One line of `wire biplane`.
[[nodiscard]] nlohmann::ordered_json biplane_to_json(const BiplaneCurve& curve,
                                                     const TrackedLine& a,
                                                     const TrackedLine& b,
                                                     double time_s,
                                                     double skew_s);

}  // namespace voxloom::infer
