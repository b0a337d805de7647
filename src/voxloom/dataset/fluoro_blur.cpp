#include "voxloom/dataset/fluoro_blur.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/parallel.h"

namespace voxloom::dataset {

std::vector<float> gaussian_half_kernel(double sigma) {
  if (sigma < 0.05) return {1.0F};
  const auto radius = static_cast<int64_t>(std::ceil(4.0 * sigma));
  std::vector<double> weights;
  double sum = 0.0;
  for (int64_t i = 0; i <= radius; ++i) {
    const double x = static_cast<double>(i) / sigma;
    weights.push_back(std::exp(-0.5 * x * x));
    sum += (i == 0 ? 1.0 : 2.0) * weights.back();
  }
  std::vector<float> kernel;
  kernel.reserve(weights.size());
  // Samples of a narrow Gaussian have too little variance: the nearest neighbours get the rest.
  double variance = 0.0;
  for (size_t i = 1; i < weights.size(); ++i) {
    variance += 2.0 * weights[i] / sum * static_cast<double>(i * i);
  }
  const double missing = std::max(0.0, sigma * sigma - variance);
  weights[0] -= missing * sum;
  weights[1] += 0.5 * missing * sum;
  for (const double w : weights) kernel.push_back(static_cast<float>(w / sum));
  return kernel;
}

double gaussian_noise_gain(double sigma) {
  const auto kernel = gaussian_half_kernel(sigma);
  double sum = 0.0;
  for (size_t i = 0; i < kernel.size(); ++i) {
    sum += (i == 0 ? 1.0 : 2.0) * static_cast<double>(kernel[i]) * static_cast<double>(kernel[i]);
  }
  return sum * sum;
}

void gaussian_blur(FluoroPlane& image, double sigma, FluoroPlane& scratch) {
  const auto kernel = gaussian_half_kernel(sigma);
  if (kernel.size() == 1) return;
  const int64_t w = image.width, h = image.height;
  const auto radius = static_cast<int64_t>(kernel.size()) - 1;
  if (scratch.width != w || scratch.height != h) scratch = FluoroPlane(w, h);
  parallel_for(0, h, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    std::vector<float> padded(static_cast<size_t>(w + 2 * radius));
    for (int64_t y = first; y < last; ++y) {
      const float* in = image.row(y);
      std::copy(in, in + w, padded.begin() + radius);
      std::fill(padded.begin(), padded.begin() + radius, in[0]);
      std::fill(padded.end() - radius, padded.end(), in[w - 1]);
      const float* centre = padded.data() + radius;
      float* out = scratch.row(y);
      for (int64_t x = 0; x < w; ++x) out[x] = kernel[0] * centre[x];
      for (int64_t k = 1; k <= radius; ++k) {
        const float weight = kernel[static_cast<size_t>(k)];
        for (int64_t x = 0; x < w; ++x) out[x] += weight * (centre[x - k] + centre[x + k]);
      }
    }
  });
  parallel_for(0, h, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      float* out = image.row(y);
      const float* middle = scratch.row(y);
      for (int64_t x = 0; x < w; ++x) out[x] = kernel[0] * middle[x];
      for (int64_t k = 1; k <= radius; ++k) {
        const float weight = kernel[static_cast<size_t>(k)];
        const float* above = scratch.row(std::max<int64_t>(0, y - k));
        const float* below = scratch.row(std::min(h - 1, y + k));
        for (int64_t x = 0; x < w; ++x) out[x] += weight * (above[x] + below[x]);
      }
    }
  });
}

FluoroPlane coarse_blur(const FluoroPlane& image, double sigma) {
  constexpr int64_t kF = kCoarseFactor;
  FluoroPlane coarse((image.width + kF - 1) / kF, (image.height + kF - 1) / kF);
  parallel_for(0, coarse.height, 8, [&](int64_t first, int64_t last) {
    for (int64_t cy = first; cy < last; ++cy) {
      const int64_t y0 = cy * kF, y1 = std::min(image.height, y0 + kF);
      for (int64_t cx = 0; cx < coarse.width; ++cx) {
        const int64_t x0 = cx * kF, x1 = std::min(image.width, x0 + kF);
        float sum = 0.0F;
        for (int64_t y = y0; y < y1; ++y) {
          const float* row = image.row(y);
          for (int64_t x = x0; x < x1; ++x) sum += row[x];
        }
        coarse.row(cy)[cx] = sum / static_cast<float>((y1 - y0) * (x1 - x0));
      }
    }
  });
  FluoroPlane scratch;
  gaussian_blur(coarse, sigma / static_cast<double>(kF), scratch);
  return coarse;
}

void add_coarse_row(
    const FluoroPlane& coarse, int64_t factor, int64_t y, int64_t width, float scale, float* row) {
  const float f = static_cast<float>(factor);
  const auto place = [f](int64_t fine, int64_t cells) {
    const float p = (static_cast<float>(fine) + 0.5F) / f - 0.5F;
    return std::clamp(p, 0.0F, static_cast<float>(cells - 1));
  };
  const float py = place(y, coarse.height);
  const auto y0 = static_cast<int64_t>(py);
  const int64_t y1 = std::min(coarse.height - 1, y0 + 1);
  const float fy = py - static_cast<float>(y0);
  const float* a = coarse.row(y0);
  const float* b = coarse.row(y1);
  // Between the centres of two cells the value is a straight line along x.
  std::vector<float> line(static_cast<size_t>(coarse.width + 1));
  for (int64_t c = 0; c < coarse.width; ++c) {
    line[static_cast<size_t>(c)] = scale * (a[c] + fy * (b[c] - a[c]));
  }
  line.back() = line[line.size() - 2];
  for (int64_t x = 0; x < width; ++x) {
    const float px = place(x, coarse.width);
    const auto c = static_cast<int32_t>(px);
    const float fx = px - static_cast<float>(c);
    row[x] += line[static_cast<size_t>(c)] +
              fx * (line[static_cast<size_t>(c) + 1] - line[static_cast<size_t>(c)]);
  }
}

}  // namespace voxloom::dataset
