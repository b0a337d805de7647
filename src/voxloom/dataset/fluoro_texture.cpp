#include "voxloom/dataset/fluoro_texture.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxloom/core/parallel.h"

namespace voxloom::dataset {
namespace {

/// Weights of the uniform cubic B-spline, which shows no grid.
std::array<float, 4> spline_weights(float t) {
  const float u = 1.0F - t;
  return {u * u * u / 6.0F,
          (3.0F * t * t * t - 6.0F * t * t + 4.0F) / 6.0F,
          (3.0F * u * u * u - 6.0F * u * u + 4.0F) / 6.0F,
          t * t * t / 6.0F};
}

}  // namespace

void add_mottle(FluoroPlane& image, double cell_px, double std, Rng& rng) {
  const auto nodes = [cell_px](int64_t size) {
    return static_cast<int64_t>(static_cast<double>(size) / cell_px) + 4;
  };
  FluoroPlane grid(nodes(image.width), nodes(image.height));
  // The spline averages: sum of squared weights is 0.23 to 0.5 an axis; 1.9 restores the size.
  for (auto& v : grid.values) v = static_cast<float>(1.9 * std * rng.normal());
  const auto inverse = static_cast<float>(1.0 / cell_px);
  parallel_for(0, image.height, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    std::vector<float> line(static_cast<size_t>(grid.width));
    for (int64_t y = first; y < last; ++y) {
      const float py = static_cast<float>(y) * inverse;
      const auto gy = static_cast<int64_t>(py);
      const auto wy = spline_weights(py - static_cast<float>(gy));
      for (int64_t c = 0; c < grid.width; ++c) {
        float sum = 0.0F;
        for (int64_t k = 0; k < 4; ++k) sum += wy[static_cast<size_t>(k)] * grid.row(gy + k)[c];
        line[static_cast<size_t>(c)] = sum;
      }
      float* row = image.row(y);
      for (int64_t x = 0; x < image.width; ++x) {
        const float px = static_cast<float>(x) * inverse;
        const auto gx = static_cast<int64_t>(px);
        const auto wx = spline_weights(px - static_cast<float>(gx));
        const float* at = line.data() + gx;
        row[x] += wx[0] * at[0] + wx[1] * at[1] + wx[2] * at[2] + wx[3] * at[3];
      }
    }
  });
}

}  // namespace voxloom::dataset
