#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/polygon_mask.h"

namespace voxloom::dataset {

/// The wire in one camera's picture.
struct Guide3dView {
  std::string image;                ///< File, below the data set's folder.
  std::vector<image::Point2> line;  ///< Along the wire; fewer than two points: not annotated.
};

struct Guide3dFrame {
  int64_t number = 0;
  std::optional<Guide3dView> a, b;
};

/// A pair of videos, seen by two cameras at the same time.
struct Guide3dVideo {
  std::string name;
  int64_t frame_count = 0;  ///< One more than the highest frame number.
  std::vector<Guide3dFrame> frames;
};

inline constexpr size_t kMaxGuide3dBytes = size_t{128} << 20;

/// Guide3D's annotations: a list of {"task", "frames": [{"frame_number", "cameraA": VIEW,
/// "cameraB": VIEW}]}, in some releases "camera1" and "camera2". A VIEW is {"image", "points": [[x,
/// y], ...]} (raw.json) or {"image", "tck": {"t": knots, "c": [[x, ...], [y, ...]], "k": degree}}
/// (b_spline.json), which is sampled about once a pixel. Integer coordinates are pixel centres
/// there; lines here count from the corner of the first pixel.
///
/// Throws kDataCorrupt naming video and frame, kUnsupported above the limits.
[[nodiscard]] std::vector<Guide3dVideo> parse_guide3d(std::string_view text,
                                                      const std::string& where);

}  // namespace voxloom::dataset
