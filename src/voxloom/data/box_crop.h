#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/data/warp.h"
#include "voxloom/infer/wire_crops.h"

namespace voxloom::data {

/// Training crops as the second network of a cascade gets them: round an object's box, which a
/// detector gives a little wrong, resized.
struct BoxCrops {
  bool on = false;
  std::array<bool, 256> is_object{};  ///< By WireClass value.
  infer::CropRule rule;               ///< Its `side` is the loader's crop.
  infer::BoxRule boxes;
  double shift = 0.10;  ///< The box's centre moves by up to this share of its sides,
  double scale = 0.20;  ///< and its sides grow or shrink by up to this share.
};

/// A part of an image that holds a crop and what augmentation may turn into it.
struct BoxRegion {
  infer::CropWindow source;        ///< Of the image, inside it.
  int64_t width = 0, height = 0;   ///< Of the region once resized.
  int64_t x = 0, y = 0, side = 0;  ///< The crop in the resized region.
};

/// Round a random box where `on_object` and there is one; else a random square of a size that
/// crops have.
[[nodiscard]] BoxRegion choose_box_region(
    const SourceView& image, int64_t side, bool on_object, const BoxCrops& how, Rng& rng);

/// A region of its own.
struct ResizedRegion {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> image, mask;
  float mean = 0.0F;
  [[nodiscard]] SourceView view() const { return {width, height, image, mask, mean}; }
};
/// The image as infer::resample() does it, the mask as warp() does (a line stays a line).
[[nodiscard]] ResizedRegion resize_region(const SourceView& image, const BoxRegion& region);

}  // namespace voxloom::data
