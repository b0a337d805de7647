#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "voxloom/dataset/fluoro_blur.h"

namespace voxloom::dataset {

/// Frangi's 2-D vesselness of dark lines at one scale (beta 0.5, c half the largest Hessian norm):
/// the plain baseline that a simulated set must be too hard for.
inline std::vector<float> dark_ridges(const std::vector<float>& pixels,
                                      int64_t w,
                                      int64_t h,
                                      double sigma) {
  FluoroPlane image(w, h), scratch;
  image.values = pixels;
  gaussian_blur(image, sigma, scratch);
  struct Eigen {
    double small, large;
  };
  std::vector<Eigen> eigen(pixels.size(), {0.0, 0.0});
  double most = 0.0;
  for (int64_t y = 1; y + 1 < h; ++y) {
    for (int64_t x = 1; x + 1 < w; ++x) {
      const auto at = [&](int64_t dx, int64_t dy) {
        return static_cast<double>(image.row(y + dy)[x + dx]);
      };
      const double s2 = sigma * sigma;
      const double xx = s2 * (at(1, 0) - 2.0 * at(0, 0) + at(-1, 0));
      const double yy = s2 * (at(0, 1) - 2.0 * at(0, 0) + at(0, -1));
      const double xy = s2 * 0.25 * (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1));
      const double mean = 0.5 * (xx + yy), d = std::hypot(0.5 * (xx - yy), xy);
      double a = mean - d, b = mean + d;
      if (std::abs(a) > std::abs(b)) std::swap(a, b);
      eigen[static_cast<size_t>(y * w + x)] = {a, b};
      most = std::max(most, std::hypot(a, b));
    }
  }
  std::vector<float> out(pixels.size(), 0.0F);
  const double c = 0.5 * most;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto [small, large] = eigen[i];
    if (large <= 0.0) continue;
    const double blob = small / large, norm = std::hypot(small, large) / c;
    out[i] =
        static_cast<float>(std::exp(-2.0 * blob * blob) * (1.0 - std::exp(-0.5 * norm * norm)));
  }
  return out;
}

/// Dice over all images at the best common threshold.
inline double best_dice(const std::vector<std::vector<float>>& scores,
                        const std::vector<std::vector<uint8_t>>& masks,
                        uint8_t label) {
  double best = 0.0;
  for (int step = 1; step < 60; ++step) {
    const float threshold = static_cast<float>(step) / 60.0F;
    double both = 0.0, sum = 0.0;
    for (size_t i = 0; i < scores.size(); ++i) {
      for (size_t k = 0; k < scores[i].size(); ++k) {
        const bool found = scores[i][k] > threshold, truth = masks[i][k] == label;
        both += found && truth ? 1.0 : 0.0;
        sum += (found ? 1.0 : 0.0) + (truth ? 1.0 : 0.0);
      }
    }
    if (sum > 0.0) best = std::max(best, 2.0 * both / sum);
  }
  return best;
}

}  // namespace voxloom::dataset
