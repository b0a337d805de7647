#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/infer/geodesic_growth.h"
#include "voxloom/infer/prompt_plan.h"

namespace voxloom::infer::geodesic {

/// What a box shows.
struct BoxContent {
  std::vector<int64_t> pixels;  ///< Of the object, as field indices.
  Appearance appearance;        ///< Of those pixels, and what is foreign to them around the box.
};

/// Finds what a box on slice `z` most probably outlines: pixels inside the box whose intensity is
/// more frequent in the object than around it. Histograms of the middle of the box and of a frame
/// outside it start the two classes, which then are refined in turn, as GrabCut does with colours
/// (Rother, Kolmogorov and Blake, ACM TOG 23, 2004), with a blurred vote in place of the cut.
/// Falls back to the ellipse in the box when the classes can't be told apart.
[[nodiscard]] BoxContent look_into_box(const Field& field, const Rect& box, int64_t z);

}  // namespace voxloom::infer::geodesic
