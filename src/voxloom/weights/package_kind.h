#pragma once

#include "voxloom/weights/package.h"

namespace voxloom::weights {

/// Whether the network of a `segment` package knows single slices only, so that prompts on one
/// slice say nothing about its neighbours. "sam-med2d" is models/sam_med2d's kArchitecture.
[[nodiscard]] inline bool segments_single_slices(const PackageInfo& info) {
  return info.architecture == "sam-med2d";
}

}  // namespace voxloom::weights
