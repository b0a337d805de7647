#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "voxloom/infer/wire_paths.h"

namespace voxloom::infer {

/// A Kalman filter on one coordinate: position and velocity, constant velocity between frames with
/// white acceleration noise.
class KalmanAxis {
 public:
  /// Noise of a measurement in px, of the acceleration in px/s^2.
  KalmanAxis(double measured_px, double acceleration)
      : r_(measured_px * measured_px), q_(acceleration * acceleration) {}
  void start(double position);
  void predict(double dt_s);
  /// Squared distance of a measurement from what is expected, in variances.
  [[nodiscard]] double surprise(double position) const;
  void update(double position);
  [[nodiscard]] double position() const { return x_; }
  [[nodiscard]] double velocity() const { return v_; }

 private:
  double r_, q_;
  double x_ = 0.0, v_ = 0.0;
  double pxx_ = 0.0, pxv_ = 0.0, pvv_ = 0.0;
};

/// Motion of a wire: its tip and 16 points along it (by arc length from the base).
class WireMotion {
 public:
  static constexpr size_t kPoints = 16;

  void reset();
  [[nodiscard]] bool started() const { return started_; }
  /// A wire was seen, base first. A tip more than 3 standard deviations from the expected place is
  /// taken as a slip of the detection for two frames; after that the filter starts anew there.
  void see(const std::vector<Point2>& centerline, double time_s);
  /// Where the wire should be at `time_s`; points about a pixel apart.
  [[nodiscard]] std::vector<Point2> predict(double time_s);
  /// Where the tip should be at `time_s`.
  [[nodiscard]] Point2 tip(double time_s);

 private:
  using Pair = std::array<KalmanAxis, 2>;
  void advance(double time_s);
  std::vector<Pair> points_;
  bool started_ = false;
  int slips_ = 0;
  double time_s_ = 0.0;
};

}  // namespace voxloom::infer
