#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/image/geometry.h"
#include "voxloom/infer/prompt.h"

namespace voxloom::infer {

/// The JSON form of prompts, for sidecars and the server: a list of
///
///     {"name": "tumour", "value": 1,
///      "points": [{"voxel": [x, y, z], "positive": true}],
///      "boxes":  [{"lo": [x0, y0, z0], "hi": [x1, y1, z1]}],
///      "masks":  [{"z": 14, "size": [W, H], "runs": [start, length, ...]}]}
///
/// Runs count pixels in row order (y * W + x). Empty lists are left out.
[[nodiscard]] nlohmann::ordered_json prompts_to_json(const std::vector<ObjectPrompt>& objects,
                                                     const image::Geometry& geometry);

/// Reads that form; "value" may be absent (1, 2, ... in order), unknown keys are errors.
/// Throws kInvalidArgument naming the place, such as "prompts[0].points[2].voxel".
[[nodiscard]] std::vector<ObjectPrompt> prompts_from_json(const nlohmann::ordered_json& list,
                                                          const image::Geometry& geometry);

}  // namespace voxloom::infer
