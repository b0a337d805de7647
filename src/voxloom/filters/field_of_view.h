#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/filters/frame_view.h"

namespace voxloom::filters {

/// The part of a frame that X-rays reached.
struct FieldOfView {
  enum class Shape { kWhole, kRectangle, kCircle };
  Shape shape = Shape::kWhole;
  int64_t left = 0, top = 0, right = 0, bottom = 0;     ///< Of the rectangle; ends outside.
  double centre_x = 0.0, centre_y = 0.0, radius = 0.0;  ///< Of the circle, px.
  int64_t text_parts = 0;              ///< Connected parts of burned-in text that were left out.
  std::vector<uint8_t> mask;           ///< [height, width] 1 inside; empty: the whole frame.
  std::vector<uint8_t> text;           ///< [height, width] 1: only text covers it; empty: no text.
  [[nodiscard]] double share() const;  ///< Of the frame that lies inside.
};

/// Finds collimator blades, a round field of view and burned-in text (guidewire.md 1.4 and 2.8):
/// - rectangle: rows and columns at the edges that are dark and even (mean at most max(0.02,
///   min(0.4 m, m - 0.75 s)) with m, s of the middle half of the frame, standard deviation at most
///   half of s, 60 % of the pixels dark), at least 3 in a row, at least 32 px left; three rounds;
/// - circle: the largest part brighter than 0.04, its convex hull, the smallest circle around that;
///   taken when hull and circle (within the rectangle, which may cut it off) overlap with an IoU
///   above 0.97 and corners lie outside;
/// - text: white parts near the edges, 8 to 21 px high at 512 px, less than 4 times wider than
/// high,
///   that end at once (a bright region's parts do not).
[[nodiscard]] FieldOfView find_field_of_view(const FrameView& view);

/// Whether objects are dark or bright: compares the strongest responses of dark and of bright lines
/// (the 99.5th percentiles of the Hessian's l2 and -l2 at sigma 2, inside the field).
struct PolarityCheck {
  double dark = 0.0, bright = 0.0;
  [[nodiscard]] bool bright_objects() const { return bright > dark; }
};
[[nodiscard]] PolarityCheck check_polarity(const FrameView& view);

}  // namespace voxloom::filters
