#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_parameters.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// From detector signal to the picture on the screen: equalisation of slow changes, look-up table
/// (log or linear, then gamma), recursive noise filter, unsharp mask, polarity, field mask,
/// caption, 8 bits.
class FluoroDisplay {
 public:
  /// The window is set from the expected signal of a typical frame, inside the field.
  FluoroDisplay(const FluoroParameters& parameters,
                const FluoroPlane& expected,
                FluoroPlane field,
                FluoroPlane caption);

  /// signal [H, W] in photons -> whole grey levels / 255.
  std::vector<float> show(const FluoroPlane& signal);
  /// Forgets earlier frames.
  void reset() { first_ = true; }
  [[nodiscard]] const FluoroPlane& field() const { return field_; }

 private:
  void make_flatten(const FluoroPlane& expected);
  void fill_table(double lo, double hi, double highest);

  FluoroParameters p_;
  FluoroPlane field_, caption_;
  FluoroPlane flatten_;  ///< Factor on the signal; empty: ones.
  bool first_ = true;
  std::vector<float> table_;  ///< Grey over the square root of the signal.
  float table_scale_ = 1.0F;
  FluoroPlane shown_, blurred_, scratch_;
};

}  // namespace voxloom::dataset
