#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/infer/geodesic_growth.h"

namespace voxloom::infer::geodesic {

/// A mask over a part of the volume.
struct Patch {
  Region region;  ///< Voxels of the volume.
  std::vector<uint8_t> mask;

  [[nodiscard]] int64_t index(const image::Index3& voxel) const {
    const auto s = region.size();
    return ((voxel[2] - region.lo[2]) * s[1] + voxel[1] - region.lo[1]) * s[0] + voxel[0] -
           region.lo[0];
  }
  [[nodiscard]] bool contains(const image::Index3& voxel) const {
    return region.contains(voxel) && mask[static_cast<size_t>(index(voxel))] != 0;
  }
};

/// The voxels (field indices) as a patch with `margin` voxels around them, inside the field and the
/// slices that may be entered.
[[nodiscard]] Patch make_patch(const Field& field,
                               std::span<const uint32_t> voxels,
                               int64_t margin,
                               const std::array<int64_t, 2>& slices);

/// Both masks, over the smallest region that holds both.
[[nodiscard]] Patch join(const Patch& a, const Patch& b);

/// Takes away from `patch` what `other` does not have.
void intersect(Patch& patch, const Patch& other);

/// Takes away what hangs on `seeds` through narrow passages only: a morphological opening whose
/// radius is `leak_control` / 2 of the object's own half-width near the seeds, followed by the
/// parts that the seeds reach. Distances are exact and in mm, as in the symmetric filter of
/// Criminisi, Sharp and Blake (GeoS, ECCV 2008, section 2), but Euclidean.
void cut_narrow_passages(Patch& patch,
                         std::span<const image::Index3> seeds,
                         const image::Vec3& spacing_mm,
                         double leak_control);

/// A click that claims voxels of a patch, with the look of its surroundings.
struct Claim {
  std::vector<image::Index3> seeds;
  Appearance appearance;
  bool own = true;  ///< Of the object; else it takes voxels away.
};

/// Fronts of all claims race through the patch; voxels won by others' claims leave it. Passing is
/// dear where the local cost is high and where the patch is narrow, so that two objects that touch
/// are parted at their neck.
void share(Patch& patch,
           std::span<const Claim> claims,
           const Field& field,
           const CancelToken& stop);

/// Moves the border to where the image changes and makes it smooth: threshold dynamics with a data
/// term (Merriman, Bence and Osher 1992; Esedoglu and Tsai, J. Comput. Phys. 211, 2006, for the
/// piecewise constant model), with means inside and outside taken locally (Lankton and Tannenbaum,
/// IEEE TIP 17, 2008). Only voxels within two voxels of the border may change.
/// `fixed` [as the patch]: 0 free, 1 always inside, 2 always outside.
void regularise(Patch& patch,
                const Field& field,
                std::span<const uint8_t> fixed,
                double smoothness,
                const CancelToken& stop);

}  // namespace voxloom::infer::geodesic
