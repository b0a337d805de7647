#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/infer/biplane_geometry.h"

namespace voxloom::infer {

/// What is known about one view.
struct BiplaneView {
  Projection projection;
  std::string name;                            ///< "A" or "B" unless the file has another.
  std::optional<std::array<int64_t, 2>> size;  ///< width, height of the frames, px.
  double time_offset_s = 0.0;  ///< Added to this view's times: when its first frame was taken.
};

/// Reads a calibration, JSON from outside:
///
///     {"voxloom_biplane": 1, "views": [
///       {"c_arm": {"sid_mm": 1100, "sod_mm": 720, "primary_deg": -30, "secondary_deg": 0,
///                  "pixel_mm": [0.2, 0.2]}, "width": 1024, "height": 1024},
///       {"projection": [[...4], [...4], [...4]], "name": "lateral", "time_offset_s": 0.016}]}
///
/// A view has either `c_arm` (with width and height; also "principal_point" [x, y] px and
/// "isocentre_mm" [x, y, z] LPS) or `projection`, 3 rows of 4. Throws kDataCorrupt that starts with
/// `where` and names the place; kInvalidArgument for numbers that no C-arm has.
[[nodiscard]] std::array<BiplaneView, 2> parse_biplane_calibration(std::string_view text,
                                                                   const std::string& where);

}  // namespace voxloom::infer
