#pragma once

#include "voxloom/dataset/fluoro_parameters.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// The flat-panel detector: scatter, blur, quantum and read noise, lag, fixed pattern. Signals are
/// in photons; frames are read in order, because lag remembers.
class FluoroDetector {
 public:
  FluoroDetector(const FluoroParameters& parameters, int64_t width, int64_t height, uint64_t seed);

  /// Primary photons per pixel -> expected signal: the primary, blurred by focal spot and detector,
  /// plus scatter (a wide blur of the primary times the scatter ratio). In place.
  void expect(FluoroPlane& signal);
  /// The system's blur alone, less the part that thin things are painted with.
  void blur(FluoroPlane& image);
  /// One noisy exposure of an expected signal.
  const FluoroPlane& read(const FluoroPlane& expected, int64_t frame);
  /// Standard deviation of one reading of an expected signal, before lag.
  [[nodiscard]] double noise_std(double expected) const;
  /// Forgets earlier frames.
  void reset() { first_ = true; }

 private:
  FluoroParameters p_;
  uint64_t seed_;
  double noise_gain_;  ///< Share of the variance that correlation leaves.
  bool first_ = true;
  FluoroPlane gain_, offset_;  ///< Empty: none.
  FluoroPlane noise_, lagged_, out_, scratch_;
};

}  // namespace voxloom::dataset
