#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"

namespace voxloom::infer::geodesic {

/// A part of the volume, in voxels; both ends inside.
struct Region {
  image::Index3 lo{0, 0, 0}, hi{-1, -1, -1};

  [[nodiscard]] image::Index3 size() const {
    return {hi[0] - lo[0] + 1, hi[1] - lo[1] + 1, hi[2] - lo[2] + 1};
  }
  [[nodiscard]] int64_t voxel_count() const {
    const auto s = size();
    return s[0] * s[1] * s[2];
  }
  [[nodiscard]] bool contains(const image::Index3& v) const {
    return v[0] >= lo[0] && v[0] <= hi[0] && v[1] >= lo[1] && v[1] <= hi[1] && v[2] >= lo[2] &&
           v[2] <= hi[2];
  }
  bool operator==(const Region&) const = default;
};

/// What clicks see of the image; depends on no prompt, so it is made once per session.
struct Field {
  Region region;       ///< The part of the volume that this field covers.
  image::Index3 size;  ///< Of the region, (x, y, z).
  image::Vec3 spacing_mm;
  std::vector<float> smooth;  ///< Denoised intensities [D, H, W].
  std::vector<float> edge;    ///< Edge strength within [0, 1) [D, H, W].
  double noise = 0.0;         ///< Standard deviation of the noise left in `smooth`.
  int64_t nan_voxels = 0;     ///< Replaced by the lowest number of the region.

  [[nodiscard]] int64_t index(const image::Index3& voxel) const {
    return ((voxel[2] - region.lo[2]) * size[1] + voxel[1] - region.lo[1]) * size[0] + voxel[0] -
           region.lo[0];
  }
};

/// Intensities outside [lo, hi] are clipped to it first.
struct Clip {
  double lo = -1e300, hi = 1e300;
  bool operator==(const Clip&) const = default;
};

/// Reads `region` and denoises it by edge-stopping diffusion (Perona and Malik, IEEE PAMI 12,
/// 1990, eq. 7 with their second conductance), its contrast parameter from the noise measured with
/// the Laplacian difference mask of Immerkaer (CVIU 64, 1996). Edge strength is c^2 / (c^2 + c0^2)
/// with c the central difference over one voxel and c0 from the noise, so that a faint border
/// between tissues and a strong one at bone or air count alike.
[[nodiscard]] Field make_field(image::VolumeSource& source,
                               const Region& region,
                               const Clip& clip,
                               const CancelToken& stop);

}  // namespace voxloom::infer::geodesic
