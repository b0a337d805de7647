#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::infer {

/// A click, in voxel indices (x, y, z) of the original volume.
struct PointPrompt {
  image::Index3 voxel{0, 0, 0};
  bool positive = true;
  bool operator==(const PointPrompt&) const = default;
};

/// A box, in voxel indices; both ends inside. lo[2] == hi[2]: a box on one key slice.
struct BoxPrompt {
  image::Index3 lo{0, 0, 0}, hi{0, 0, 0};
  bool operator==(const BoxPrompt&) const = default;
};

/// A mask on one slice: width x height bytes, non-zero is the object.
struct MaskPrompt {
  int64_t z = 0;
  std::vector<uint8_t> pixels;  ///< [H, W] of the original volume.
  bool operator==(const MaskPrompt&) const = default;
};

/// What the user said about one object.
struct ObjectPrompt {
  std::string name = "object";
  uint16_t value = 1;  ///< Its value in the label map, at least 1.
  std::vector<PointPrompt> points;
  std::vector<BoxPrompt> boxes;
  std::vector<MaskPrompt> masks;

  [[nodiscard]] bool empty() const { return points.empty() && boxes.empty() && masks.empty(); }
  bool operator==(const ObjectPrompt&) const = default;
};

}  // namespace voxloom::infer
