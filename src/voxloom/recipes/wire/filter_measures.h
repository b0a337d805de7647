#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "voxloom/filters/field_of_view.h"
#include "voxloom/filters/filter_chain.h"
#include "voxloom/recipes/wire/filter_frames.h"

namespace voxloom::recipes::wire {

/// A grey picture of the field of view's box.
struct GreyPicture {
  int64_t width = 0, height = 0;
  std::vector<float> pixels;  ///< [height, width] in [0, 1].
};

/// One result of a chain: its image, or a channel, as grey values.
struct ChainOutput {
  std::string name;  ///< "image" or the channel's name.
  GreyPicture picture;
  bool valid = true;
};

/// Image (where a step changes it) and channels of a filtered frame. Log attenuation d of
/// "subtract" becomes 0.5 exp(-d): the ratio of frame and background, where nothing new is grey.
[[nodiscard]] std::vector<ChainOutput> chain_outputs(const filters::FilteredFrame& filtered,
                                                     const filters::FieldOfView& field,
                                                     bool with_image);

/// The part of [height, width] values within the field's box.
template <class Value>
[[nodiscard]] std::vector<Value> crop_to_field(const std::vector<Value>& values,
                                               int64_t width,
                                               const filters::FieldOfView& field) {
  std::vector<Value> out;
  if (values.empty()) return out;
  for (int64_t y = field.top; y < field.bottom; ++y) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(y * width);
    out.insert(out.end(), row + field.left, row + field.right);
  }
  return out;
}

/// Names of the measures, in the order of the report.
inline constexpr const char* kFilterMeasures[] = {
    "cnr", "contrast", "cii", "cir", "eme", "entropy", "noise"};

/// What is measured of one output: those of kFilterMeasures that can be.
[[nodiscard]] std::map<std::string, double> measure_output(const GreyPicture& original,
                                                           const GreyPicture& processed,
                                                           const std::vector<uint8_t>& object,
                                                           const std::vector<uint8_t>& exclude);

}  // namespace voxloom::recipes::wire
