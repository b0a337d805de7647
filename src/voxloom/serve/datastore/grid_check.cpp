#include "voxloom/serve/datastore/grid_check.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::serve {

void check_label_grid(const image::Geometry& label, const image::Geometry& image) {
  VOXLOOM_CHECK(label.size == image.size,
                ErrorCode::kInvalidArgument,
                "label: its size must be that of the image, {} voxels, got {}",
                image.size,
                label.size);
  const double shortest = *std::min_element(image.spacing_mm.begin(), image.spacing_mm.end());
  VOXLOOM_CHECK(
      image::same_grid(label, image, 0.1 * shortest),
      ErrorCode::kInvalidArgument,
      "label: it must lie where the image lies ({} mm apart, origin {}), got {} mm apart, "
      "origin {}",
      image.spacing_mm,
      image.origin_mm,
      label.spacing_mm,
      label.origin_mm);
}

}  // namespace voxloom::serve
