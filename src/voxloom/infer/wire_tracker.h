#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/options.h"
#include "voxloom/image/frame.h"
#include "voxloom/infer/wire_paths.h"
#include "voxloom/infer/wire_segmenter.h"
#include "voxloom/infer/wire_tip.h"

namespace voxloom::infer {

/// What the tracker knows about the wire at a frame.
enum class WireState {
  kTracking,   ///< Seen in this frame.
  kPredicted,  ///< Not seen; shown from its motion.
  kLost,       ///< Not seen for too long, or never.
};
[[nodiscard]] const char* wire_state_name(WireState state);

/// What is found in one frame.
struct WireResult {
  int64_t number = 0;   ///< Frame::number.
  double time_s = 0.0;  ///< Frame::time_s: when the frame was taken.
  double age_ms = 0.0;  ///< From the call of step() until this result was complete.
  WireState state = WireState::kLost;
  std::string reason;  ///< Why predicted or lost; empty while tracking.
  int64_t width = 0, height = 0;
  std::vector<uint8_t> mask;     ///< [height, width] 0 or 1: what was seen, never predicted.
  std::array<int64_t, 4> box{};  ///< x, y, width, height of the mask; zeros when empty.
  double score = 0.0;            ///< Mean probability over the mask.
  std::vector<std::vector<Point2>> centerlines;  ///< One a wire, base to tip, a point a px.
  std::vector<Point2> centerline;    ///< The main wire's: centerlines[0], or the predicted one.
  std::vector<double> spline_knots;  ///< Cubic B-spline of `centerline`.
  std::vector<Point2> spline_coefficients;
  std::vector<PathGap> gaps;  ///< Of `centerline`: joined by the tracker, not seen.
  std::optional<WireTip> tip;
  double length_px = 0.0;
  double min_curvature_radius_px = 0.0;
  double width_px = 0.0;  ///< Median width of the wire.
  int64_t components_before = 0, components_after = 0;
  double pixel_mm = 0.0;  ///< 0: unknown; lengths in mm are then absent from JSON.
  std::vector<std::pair<std::string, double>> times_ms;  ///< Stage, in order.
};

/// One line of the tracker's output: RLE (COCO), polygons, box, centre line, tip, gaps, times.
[[nodiscard]] nlohmann::ordered_json wire_result_to_json(const WireResult& result);

/// How masks become wires; the defaults are guidewire.md section 7's. Lengths are px of a frame of
/// 512 px and scale with the frame's larger side.
struct WireTrackOptions {
  double high_threshold = 0.6;  ///< Hysteresis: a component needs a pixel above this ...
  double low_threshold = 0.25;  ///< ... and reaches as far as this.
  double min_length_px = 15.0;
  double min_probability = 0.4;
  double min_elongation = 4.0;
  int64_t max_wires = 2;
  double bridge_px = 40.0;  ///< Longest gap that is joined; never above 60.
  double bridge_angle_deg = 45.0;
  int64_t predict_frames = 10;  ///< Frames without the wire that show a prediction.
  bool temporal = true;         ///< Kalman filters on tip and curve.

  void visit(OptionList& list);
  void validate() const;
};

/// Follows a wire through a stream of frames. Owns the state between frames. Not thread-safe.
class WireTracker {
 public:
  virtual ~WireTracker() = default;
  [[nodiscard]] virtual const WireModelInfo& info() const = 0;
  virtual void reset() = 0;
  [[nodiscard]] virtual WireResult step(const image::Frame& frame) = 0;
};

[[nodiscard]] std::unique_ptr<WireTracker> make_wire_tracker(
    std::unique_ptr<WireSegmenter> segmenter, const WireTrackOptions& options);

}  // namespace voxloom::infer
