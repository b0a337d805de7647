#pragma once

#include <vector>

#include "voxloom/dataset/sample.h"
#include "voxloom/image/canvas.h"
#include "voxloom/infer/wire_boxes.h"
#include "voxloom/recipes/wire/samples.h"

namespace voxloom::recipes::wire {

/// The image, and beside it the image with truth and prediction: found green, missed blue, wrong
/// red, ignored hatched grey.
[[nodiscard]] image::Canvas compare_masks(const dataset::LabelledImage& image,
                                          const ObjectMask& truth,
                                          const std::vector<uint8_t>& predicted);

/// The image with true boxes green and found ones orange, their confidence beside them.
[[nodiscard]] image::Canvas show_boxes(const dataset::LabelledImage& image,
                                       const std::vector<infer::WireBox>& truth,
                                       const std::vector<infer::WireBox>& found);

}  // namespace voxloom::recipes::wire
