#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace voxloom::dataset {

/// A grey image of the simulator, row by row; pixel centres lie at whole coordinates.
struct FluoroPlane {
  FluoroPlane() = default;
  FluoroPlane(int64_t w, int64_t h, float fill = 0.0F)
      : width(w), height(h), values(static_cast<size_t>(w * h), fill) {}

  [[nodiscard]] float* row(int64_t y) { return values.data() + y * width; }
  [[nodiscard]] const float* row(int64_t y) const { return values.data() + y * width; }

  int64_t width = 0, height = 0;
  std::vector<float> values;  ///< [height, width]
};

/// Rows that one task takes in the loops of the simulator.
inline constexpr int64_t kFluoroRowGrain = 32;

}  // namespace voxloom::dataset
