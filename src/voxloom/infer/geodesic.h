#pragma once

#include <memory>

#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {

/// Seeded segmentation by geodesic distance: the segmenter for a machine without weights. It is
/// not a neural network and knows no anatomy; it finds the connected region around the prompts
/// that looks like them and ends at image edges.
///
/// For one object:
/// 1. Its masks and boxes, else its first positive click, grow a front by geodesic distance, cheap
///    where the image looks like the surroundings of the prompt and dear across edges
///    (geodesic_growth.h). The level set with the strongest edges along its border is the region.
/// 2. Narrow passages are cut (`leak_control`).
/// 3. The border is regularised (`smoothness`), holes are filled, the largest part is kept.
/// 4. The other clicks are taken in their order (geodesic_local.h). One that the region agrees with
///    changes nothing; one near the border changes a ball around it, 2.5 times as wide as the click
///    is far from the border; a positive one further away grows as the first did and is joined; a
///    negative one in the middle of a part races with the object for it, and keeps the region below
///    its own level when the border there is good enough. Positive clicks of other objects count as
///    negative ones before the object's own.
///
/// A box on one slice gives a mask there by two-class histograms of its middle and its
/// surroundings; a mask is taken as it is on its slice; both then grow as a click does. Without a
/// mask, boxes bound the object: on the slices of a box it stays inside; on other slices within
/// half as much again as the width and height of a flat box, and it ends where only that bound
/// ends it (geodesic_box.h). Range, `clip_box`, `max_slices`, `slice_range`, `extend`, `direction`
/// on one key slice and `components` follow prompt_plan.h.
///
/// Where the best border of a click is faint, 20 mm around it are kept, and a note says so; a note
/// also tells of a region with a quarter of the volume.
/// Growth has no direction: two-ended runs have one result, so no voxel is uncertain and `merge`
/// changes nothing.
///
/// A session keeps the denoised image and each click's growth: a further click costs its own
/// work only, and a click taken back gives the former result. Deterministic.
[[nodiscard]] std::unique_ptr<Segmenter> make_geodesic_segmenter();

}  // namespace voxloom::infer
