// One frame through the tracker, top-down in step(): probabilities, mask, paths, curve, tip,
// motion.
#include "voxloom/infer/wire_tracker.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/distance.h"
#include "voxloom/infer/wire_mask.h"
#include "voxloom/infer/wire_motion.h"
#include "voxloom/infer/wire_spline.h"

namespace voxloom::infer {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLongestBridgePx = 60.0;
constexpr int64_t kHiddenEvery = 16;  // The collimator moves seldom.

/// Names the time since the last call.
class Stopwatch {
 public:
  explicit Stopwatch(WireResult& result) : result_(result) {}
  void lap(const char* stage) {
    const auto now = Clock::now();
    result_.times_ms.emplace_back(stage, milliseconds(now - last_));
    last_ = now;
  }
  [[nodiscard]] double total_ms() const { return milliseconds(Clock::now() - start_); }

 private:
  static double milliseconds(Clock::duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
  }
  WireResult& result_;
  Clock::time_point start_ = Clock::now(), last_ = start_;
};

std::array<int64_t, 4> box_of(const std::vector<uint8_t>& mask, int64_t width, int64_t height) {
  int64_t x0 = width, y0 = height, x1 = -1, y1 = -1;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      if (mask[static_cast<size_t>(y * width + x)] == 0) continue;
      x0 = std::min(x0, x);
      x1 = std::max(x1, x);
      y0 = std::min(y0, y);
      y1 = y;
    }
  }
  if (x1 < 0) return {0, 0, 0, 0};
  return {x0, y0, x1 - x0 + 1, y1 - y0 + 1};
}

/// Median over the points of how wide the mask is across the line: pixels on the normal.
double median_width(const std::vector<Point2>& line,
                    const std::vector<uint8_t>& mask,
                    int64_t width,
                    int64_t height) {
  std::vector<double> widths;
  constexpr double kStep = 0.25, kFarthest = 20.0;
  for (size_t i = 2; i + 2 < line.size(); i += 2) {
    const double dx = line[i + 2][0] - line[i - 2][0], dy = line[i + 2][1] - line[i - 2][1];
    const double d = std::hypot(dx, dy);
    if (d == 0.0) continue;
    double total = 0.0;
    for (const double side : {-1.0, 1.0}) {
      for (double t = 0.0; t < kFarthest; t += kStep) {
        const auto x = std::lround(line[i][0] - side * t * dy / d);
        const auto y = std::lround(line[i][1] + side * t * dx / d);
        if (x < 0 || y < 0 || x >= width || y >= height ||
            mask[static_cast<size_t>(y * width + x)] == 0) {
          break;
        }
        total += kStep;
      }
    }
    if (total > 0.0) widths.push_back(total);
  }
  if (widths.empty()) return 0.0;
  std::nth_element(
      widths.begin(), widths.begin() + static_cast<int64_t>(widths.size() / 2), widths.end());
  return widths[widths.size() / 2];
}

/// The gaps of a traced path on the smoothed curve, whose points are evenly spread.
std::vector<PathGap> gaps_on_curve(const WirePath& path, size_t curve_points) {
  std::vector<double> at(path.points.size(), 0.0);
  for (size_t i = 1; i < at.size(); ++i) {
    at[i] = at[i - 1] + std::hypot(path.points[i][0] - path.points[i - 1][0],
                                   path.points[i][1] - path.points[i - 1][1]);
  }
  const auto index = [&](size_t i) {
    return static_cast<size_t>(
        std::lround(at[i] / std::max(at.back(), 1e-9) * static_cast<double>(curve_points - 1)));
  };
  std::vector<PathGap> gaps;
  for (const auto& gap : path.gaps) {
    gaps.push_back(
        {.first = index(gap.first), .last = index(gap.last), .length_px = gap.length_px});
  }
  return gaps;
}

void reverse_path(WirePath& path) {
  std::reverse(path.points.begin(), path.points.end());
  for (auto& gap : path.gaps) {
    const size_t last = path.points.size() - 1;
    gap = {.first = last - gap.last, .last = last - gap.first, .length_px = gap.length_px};
  }
  std::reverse(path.gaps.begin(), path.gaps.end());
}

class NetworkTracker final : public WireTracker {
 public:
  NetworkTracker(std::unique_ptr<WireSegmenter> segmenter, const WireTrackOptions& options)
      : segmenter_(std::move(segmenter)), options_(options) {
    options.validate();
  }

  const WireModelInfo& info() const override { return segmenter_->info(); }

  void reset() override {
    segmenter_->reset();
    motion_.reset();
    hidden_.clear();
    last_tip_.reset();
    frames_ = 0;
    unseen_ = 0;
  }

  WireResult step(const image::Frame& frame) override {
    WireResult result{.number = frame.number,
                      .time_s = frame.time_s,
                      .width = frame.width,
                      .height = frame.height,
                      .pixel_mm = frame.pixel_mm};
    Stopwatch watch(result);
    segmenter_->segment(frame, probability_);
    watch.lap("network");
    const double scale = static_cast<double>(std::max(frame.width, frame.height)) / 512.0;
    if (frames_++ % kHiddenEvery == 0) hidden_ = hidden_area(frame);

    auto found = find_mask(frame, scale);
    result.components_before = found.components_before;
    result.components_after = found.components_after;
    result.score = found.mean_probability;
    auto paths = find_paths(frame, found, scale);
    watch.lap("paths");
    if (paths.empty()) {
      describe_unseen(result, found, frame);
    } else {
      unseen_ = 0;
      result.state = WireState::kTracking;
      describe_wires(result, paths, found.mask, frame, scale);
    }
    result.mask = std::move(found.mask);
    result.box = box_of(result.mask, frame.width, frame.height);
    watch.lap("curve");
    result.age_ms = watch.total_ms();
    return result;
  }

 private:
  [[nodiscard]] WireMask find_mask(const image::Frame& frame, double scale) const {
    auto found = make_wire_mask(probability_,
                                frame.width,
                                frame.height,
                                {.high_threshold = options_.high_threshold,
                                 .low_threshold = options_.low_threshold,
                                 .min_length_px = options_.min_length_px * scale,
                                 .min_probability = options_.min_probability,
                                 .min_elongation = options_.min_elongation});
    return found;
  }

  [[nodiscard]] std::vector<WirePath> find_paths(const image::Frame& frame,
                                                 const WireMask& found,
                                                 double scale) const {
    if (found.components_after == 0) return {};
    return trace_wire_paths(found.skeleton,
                            probability_,
                            hidden_,
                            frame.width,
                            frame.height,
                            {.bridge_px = std::min(options_.bridge_px, kLongestBridgePx) * scale,
                             .bridge_angle_deg = options_.bridge_angle_deg,
                             .min_length_px = options_.min_length_px * scale,
                             .max_wires = options_.max_wires});
  }

  void describe_wires(WireResult& result,
                      std::vector<WirePath>& paths,
                      const std::vector<uint8_t>& mask,
                      const image::Frame& frame,
                      double scale) {
    for (auto& path : paths) {
      const bool main = &path == &paths.front();
      if (tip_is_front(path.points,
                       frame,
                       hidden_,
                       main && options_.temporal ? last_tip_ : std::nullopt,
                       scale)) {
        reverse_path(path);
      }
      const auto spline = WireSpline::fit(path.points, 20.0 * scale);
      auto curve = spline.sample();
      if (main) {
        result.spline_knots = spline.knots();
        result.spline_coefficients = spline.coefficients();
        result.min_curvature_radius_px = spline.min_curvature_radius();
        result.gaps = gaps_on_curve(path, curve.size());
        result.length_px = path_length(curve);
        result.width_px = median_width(curve, mask, frame.width, frame.height);
        result.tip = refine_tip(curve, frame, probability_, result.width_px);
        result.centerline = curve;
      }
      result.centerlines.push_back(std::move(curve));
    }
    last_tip_ = result.tip->position;
    if (options_.temporal) motion_.see(result.centerline, frame.time_s);
  }

  /// Nothing was seen: for a while the wire is shown where its motion takes it, and marked so.
  void describe_unseen(WireResult& result, const WireMask& found, const image::Frame& frame) {
    ++unseen_;
    result.reason =
        found.components_before > 0
            ? format("{} components above the threshold, none like a wire", found.components_before)
            : format("no pixel above {}, highest probability {:.2f}",
                     options_.high_threshold,
                     found.highest);
    if (!options_.temporal || !motion_.started() || unseen_ > options_.predict_frames) {
      result.state = WireState::kLost;
      if (unseen_ > options_.predict_frames) {
        motion_.reset();
        last_tip_.reset();
      }
      return;
    }
    result.state = WireState::kPredicted;
    result.centerline = motion_.predict(frame.time_s);
    result.length_px = path_length(result.centerline);
    const auto& line = result.centerline;
    const size_t back = std::min<size_t>(6, line.size() - 1);
    const Point2& inner = line[line.size() - 1 - back];
    const double d = std::hypot(line.back()[0] - inner[0], line.back()[1] - inner[1]);
    result.tip = WireTip{.position = line.back()};
    if (d > 0.0) {
      result.tip->direction = {(line.back()[0] - inner[0]) / d, (line.back()[1] - inner[1]) / d};
    }
  }

  std::unique_ptr<WireSegmenter> segmenter_;
  WireTrackOptions options_;
  WireMotion motion_;
  std::vector<float> probability_;
  std::vector<uint8_t> hidden_;
  std::optional<Point2> last_tip_;
  int64_t frames_ = 0, unseen_ = 0;
};

}  // namespace

const char* wire_state_name(WireState state) {
  switch (state) {
    case WireState::kTracking:
      return "tracking";
    case WireState::kPredicted:
      return "predicted";
    case WireState::kLost:
      return "lost";
  }
  return "lost";
}

void WireTrackOptions::visit(OptionList& list) {
  list.option("--high",
              high_threshold,
              "A component of the mask needs a pixel above this probability ...")
      .with_range(0.0, 1.0);
  list.option("--low", low_threshold, "... and reaches as far as pixels above this one.")
      .with_range(0.0, 1.0);
  list.option("--min-length-px",
              min_length_px,
              "Shorter components are dropped; px of a frame of 512, scaled to the frame.")
      .with_range(0.0, 1e4);
  list.option("--min-probability", min_probability, "Components of a lower mean are dropped.")
      .with_range(0.0, 1.0);
  list.option("--min-elongation",
              min_elongation,
              "Components whose length over width is lower are dropped.")
      .with_range(0.0, 1e3);
  list.option("--max-wires", max_wires, "Wires followed in a frame.").with_range(1, 16);
  list.option("--bridge-px",
              bridge_px,
              "Longest gap that is joined (and marked as such); px of a frame of 512.")
      .with_range(0.0, kLongestBridgePx);
  list.option("--bridge-angle-deg", bridge_angle_deg, "Largest turn at either side of a gap.")
      .with_range(0.0, 90.0);
  list.option("--predict-frames",
              predict_frames,
              "Frames without the wire that show where it should be, marked as prediction.")
      .with_range(0, 1000);
  list.option("--temporal", temporal, "Follow the motion of tip and curve from frame to frame.");
}

void WireTrackOptions::validate() const {
  VOXLOOM_CHECK(low_threshold > 0.0 && low_threshold <= high_threshold && high_threshold < 1.0,
                ErrorCode::kInvalidArgument,
                "--low, --high: must hold 0 < low <= high < 1, got {} and {}",
                low_threshold,
                high_threshold);
  VOXLOOM_CHECK(bridge_px >= 0.0 && bridge_px <= kLongestBridgePx,
                ErrorCode::kInvalidArgument,
                "--bridge-px: must lie within [0, {}], got {}",
                kLongestBridgePx,
                bridge_px);
  VOXLOOM_CHECK(max_wires >= 1 && predict_frames >= 0 && min_length_px >= 0.0,
                ErrorCode::kInvalidArgument,
                "--max-wires, --predict-frames, --min-length-px: must not be negative, got {}, {}, "
                "{}",
                max_wires,
                predict_frames,
                min_length_px);
}

std::unique_ptr<WireTracker> make_wire_tracker(std::unique_ptr<WireSegmenter> segmenter,
                                               const WireTrackOptions& options) {
  return std::make_unique<NetworkTracker>(std::move(segmenter), options);
}

}  // namespace voxloom::infer
