#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/infer/geodesic_growth.h"
#include "voxloom/infer/geodesic_refine.h"
#include "voxloom/infer/prompt.h"
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

/// Where an object with these boxes may lie on slice `z`. On the slices of a box: inside it. On
/// others a flat box bounds it too: its sides recede by as many mm as the slices are away, at most
/// by a quarter of its width and height, so that a box on the widest slice is hardly left and one
/// beside it still lets a ball be whole. Empty: nowhere.
[[nodiscard]] std::vector<Rect> reach_of(const std::vector<BoxPrompt>& boxes,
                                         int64_t z,
                                         const image::Vec3& spacing_mm);

/// Cuts off the slices beyond the outermost boxes from the first one on where a third of the
/// region's border is the end of the reach and not of anything seen: there the object was lost.
/// Returns whether something was cut.
[[nodiscard]] bool cut_unbounded_slices(Patch& patch,
                                        const std::vector<BoxPrompt>& boxes,
                                        const image::Vec3& spacing_mm);

/// Voxels of a ball with a cross-section of `pixels` on an axial slice, at least.
[[nodiscard]] double ball_of(size_t pixels, const image::Vec3& spacing_mm);

}  // namespace voxloom::infer::geodesic
