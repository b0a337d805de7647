#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// One half of a normalised Gaussian of variance sigma^2, centre first, cut at 4 sigma; {1} below
/// sigma 0.05.
[[nodiscard]] std::vector<float> gaussian_half_kernel(double sigma);

/// Sum of the squared weights of the 2-D Gaussian: what the variance of white noise keeps.
[[nodiscard]] double gaussian_noise_gain(double sigma);

/// Gaussian blur in pixels, separable, the border repeated. `scratch` keeps its memory.
void gaussian_blur(FluoroPlane& image, double sigma, FluoroPlane& scratch);

/// A wide blur of a smooth field: on means of 8x8 pixels. Returns that coarse plane.
[[nodiscard]] FluoroPlane coarse_blur(const FluoroPlane& image, double sigma);

/// row[x] += scale * coarse at row y of the fine image, bilinear; `factor` fine pixels a cell.
void add_coarse_row(
    const FluoroPlane& coarse, int64_t factor, int64_t y, int64_t width, float scale, float* row);

inline constexpr int64_t kCoarseFactor = 8;

}  // namespace voxloom::dataset
