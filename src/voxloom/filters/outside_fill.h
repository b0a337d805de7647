#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::filters {

/// Continues an image beyond its field of view, so that filters see no edge there: each pixel
/// outside becomes the mean of the nearest field pixels to the left, right, top and bottom,
/// weighted by inverse distance; where none of these lies in the field, the filled neighbours go
/// on. Made once for a field and used for every frame of a stream.
class OutsideFill {
 public:
  OutsideFill() = default;
  /// field [height, width], 0 outside. Throws kInvalidArgument for another length.
  OutsideFill(std::span<const uint8_t> field, int64_t width, int64_t height);

  [[nodiscard]] bool empty() const { return targets_.empty(); }
  void fill(std::span<float> pixels) const;
  void blank(std::span<float> pixels, float value = 0.0F) const;

 private:
  struct Target {
    int32_t pixel = 0;
    int32_t first = 0, count = 0;  ///< Into sources_.
  };
  struct Source {
    int32_t pixel = 0;
    float weight = 0.0F;
  };
  size_t pixels_ = 0;
  std::vector<Target> targets_;  ///< In an order in which sources are filled before they are used.
  std::vector<Source> sources_;
};

}  // namespace voxloom::filters
