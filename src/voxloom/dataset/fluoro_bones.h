#pragma once

#include "voxloom/core/random.h"
#include "voxloom/dataset/fluoro_curve.h"
#include "voxloom/dataset/fluoro_parameters.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// The vertebral column: a line of blocks with waists, end plates, discs, pedicles and processes.
struct FluoroSpine {
  double x_mm = 0.0;        ///< Where it crosses the middle row.
  double lean = 0.0;        ///< dx/dy
  double bend = 0.0;        ///< 1/mm
  double period_mm = 30.0;  ///< Vertebra and disc, 25-35
  double width_mm = 34.0;
  double phase_mm = 0.0;
  double density = 1.0;

  [[nodiscard]] double x_at(double y_mm) const { return x_mm + lean * y_mm + bend * y_mm * y_mm; }
};
[[nodiscard]] FluoroSpine random_spine(Rng& rng);

/// Adds optical depth beyond water. `origin` is the pixel of scene point (0, 0).
void add_spine(FluoroPlane& depth, const FluoroSpine& spine, double pixel_mm, FluoroPoint origin);

/// Posterior ribs from the spine outwards and fainter anterior ones, as cortical shells around
/// marrow: 8-12 mm wide, 6-10 mm thick.
void add_ribs(FluoroPlane& depth,
              const FluoroSpine& spine,
              const FluoroParameters& parameters,
              FluoroPoint origin,
              Rng& rng);

}  // namespace voxloom::dataset
