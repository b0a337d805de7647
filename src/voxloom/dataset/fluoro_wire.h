#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_parameters.h"
#include "voxloom/dataset/fluoro_tube.h"

namespace voxloom::dataset {

/// Where a wire can go: a catheter, then a vessel, or a free curve.
struct FluoroRoute {
  FluoroCurve curve;         ///< Vertices every 0.5 mm.
  std::vector<float> lumen;  ///< Free radius around it at every vertex, mm.
  double catheter_mm = 0.0;  ///< Length of the part inside the catheter.
};

/// A value that goes through given points at given times, linear between.
class FluoroTimeline {
 public:
  void add(double time_s, double value) { nodes_.push_back({time_s, value}); }
  [[nodiscard]] double at(double time_s) const;

 private:
  std::vector<FluoroPoint> nodes_;  // x: time
};

/// One guidewire: its way, how far it is inserted and how its J-shaped tip is turned over time
/// (insertion or retraction at 5-40 mm/s, pauses of 0.1-0.3 s).
class FluoroWire {
 public:
  FluoroWire(const FluoroParameters& parameters,
             const FluoroRoute& route,
             double duration_s,
             Rng& rng);

  /// Where the tip lies at first, before the J is bent.
  [[nodiscard]] FluoroPoint first_tip() const;
  /// A wire that enters late starts where its way first comes within `half_mm` of the middle.
  void set_view(double half_mm);

  [[nodiscard]] bool present(double time_s) const { return time_s >= p_.absent_until_s; }
  [[nodiscard]] double inserted_mm(double time_s) const;
  /// The axis at rest of the heart in mm, from outside to the tip, and the factor on its
  /// attenuation (foreshortening, radiopaque tip) at every vertex.
  void shape(double time_s, FluoroCurve& axis, std::vector<float>& gains) const;
  /// Moves the route.
  void shift(FluoroPoint by);

 private:
  FluoroParameters p_;
  FluoroCurve path_;
  std::vector<float> lean_;  ///< Path length over projected length.
  double start_mm_ = 0.0, entry_mm_ = 0.0, length_mm_ = 0.0, bend_ = 1.0;
  FluoroTimeline insertion_, rotation_;
};

}  // namespace voxloom::dataset
