#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/infer/wire_boxes.h"

namespace voxloom::infer {

/// A rectangle of an image in whole px; may reach beyond it.
struct CropWindow {
  int64_t x = 0, y = 0, width = 0, height = 0;
  bool operator==(const CropWindow&) const = default;
};

/// How boxes become the square crops of the second network (guidewire.md 3.3, rule 6). A large crop
/// would shrink a wire below a pixel, so larger boxes take several.
struct CropRule {
  double expand = 0.15;    ///< Of the box's sides.
  int64_t min_side = 96;   ///< px of the frame.
  int64_t max_side = 320;  ///< px of the frame; boxes beyond are tiled.
  int64_t overlap = 32;    ///< px of the frame that neighbouring tiles share.
  int64_t side = 224;      ///< px that the network sees.

  void visit(OptionList& list);
  void validate() const;
};

/// The square windows that cover a box, inside the frame as far as that is large enough.
[[nodiscard]] std::vector<CropWindow> crop_windows(const WireBox& box,
                                                   int64_t width,
                                                   int64_t height,
                                                   const CropRule& rule);

/// image [height, width] -> the window's content at out_width x out_height px, outer edges on outer
/// edges; outside the image its border is repeated. Each axis: the mean over the area of a new
/// pixel where it shrinks, cubic convolution (Keys 1981, a = -1/2, as augmentation resamples) where
/// it grows, a copy where it stays. `out` is resized.
void resample(std::span<const float> image,
              int64_t width,
              int64_t height,
              const CropWindow& window,
              int64_t out_width,
              int64_t out_height,
              std::vector<float>& out);

/// The other way: crop [side, side] of `window`, bilinear, into image [height, width], where the
/// larger value stays.
void paste_maximum(std::span<const float> crop,
                   int64_t side,
                   const CropWindow& window,
                   int64_t width,
                   int64_t height,
                   std::vector<float>& image);

}  // namespace voxloom::infer
