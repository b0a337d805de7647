#pragma once

#include <cstdint>
#include <span>

#include "voxloom/core/cancel.h"
#include "voxloom/infer/geodesic_growth.h"
#include "voxloom/infer/geodesic_refine.h"

namespace voxloom::infer::geodesic {

/// What a click means for a region that was found without it.
struct ClickRole {
  enum class Kind {
    kAgrees,  ///< The region already does what it says.
    kLocal,   ///< Corrects the border near by: a LocalEdit.
    kGlobal,  ///< Shows a part of its own, to be grown, or to be parted from the object.
  } kind = Kind::kAgrees;
  /// How far from the click a correction may change the region; 0 when no correction would do.
  double reach_mm = 0.0;
};

/// Tells from the distance d to the border what a click means. A missing part is local up to four
/// voxels (of the finest spacing) away; up to 16, a correction may stand in for growth. A part to
/// remove is global when the click lies in the middle of what is there: at least half as deep as
/// the place uphill from it, and two voxels deep; a click in a leak through a neck does, a click
/// just inside the border of a large region does not. The reach of a local click is 2.5 d.
[[nodiscard]] ClickRole role_of(const Patch& patch,
                                const image::Index3& voxel,
                                bool positive,
                                const image::Vec3& spacing_mm);

/// A click that corrects the border around it.
struct LocalEdit {
  image::Index3 voxel{};
  bool add = true;
  double reach_mm = 0.0;
  Appearance appearance;  ///< Of the click.
};

/// Gives the click its share of the ball of `reach_mm` around it and changes no other voxel: in
/// what the edit may change there, its front races with one from the rim of the ball and from
/// `opposed` (clicks that say the contrary), each cheap where the image looks like its own seeds.
/// Where no edge parts them, the click gets half the way. The clicked voxel always changes.
/// `slices` and `blocked` (field, [D, H, W] or empty) bound what may be added.
void apply(const LocalEdit& edit,
           std::span<const image::Index3> opposed,
           const Field& field,
           const std::array<int64_t, 2>& slices,
           std::span<const uint8_t> blocked,
           Patch& patch,
           const CancelToken& stop);

}  // namespace voxloom::infer::geodesic
