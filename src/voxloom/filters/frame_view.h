#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/image/frame.h"

namespace voxloom::filters {

/// A grey image that somebody else owns, with its field of view.
///
/// What lies outside the field must hold a smooth continuation of the inside (OutsideFill makes
/// one), since filters look at it near the edge; medians, percentiles and maxima leave it out. What
/// a filter returns outside the field means nothing: OutsideFill::blank() clears it.
struct FrameView {
  std::span<const float> pixels;  ///< [height, width], black 0 ... white 1.
  int64_t width = 0, height = 0;
  std::span<const uint8_t> field;  ///< [height, width], 0 outside; empty: all is inside.

  FrameView(std::span<const float> image,
            int64_t w,
            int64_t h,
            std::span<const uint8_t> inside_field = {});
  explicit FrameView(const image::Frame& frame, std::span<const uint8_t> inside_field = {})
      : FrameView(frame.pixels, frame.width, frame.height, inside_field) {}

  [[nodiscard]] size_t size() const { return pixels.size(); }
  [[nodiscard]] bool inside(size_t i) const { return field.empty() || field[i] != 0; }
};

/// Throws kInvalidArgument unless `out` has the length of `view`.
void check_output_size(const FrameView& view, std::span<const float> out, const char* where);

/// The values of `values` at every pixel of the field on a grid of `stride` px.
[[nodiscard]] std::vector<float> sample_inside(const FrameView& view,
                                               std::span<const float> values,
                                               int64_t stride);

/// The share-quantile of `values`, which are reordered; 0 for none.
[[nodiscard]] float quantile(std::vector<float>& values, double share);

}  // namespace voxloom::filters
