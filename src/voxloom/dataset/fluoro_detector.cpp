#include "voxloom/dataset/fluoro_detector.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_blur.h"
#include "voxloom/dataset/fluoro_noise.h"

namespace voxloom::dataset {

FluoroDetector::FluoroDetector(const FluoroParameters& parameters,
                               int64_t width,
                               int64_t height,
                               uint64_t seed)
    : p_(parameters),
      seed_(seed),
      noise_gain_(gaussian_noise_gain(parameters.noise_correlation_px)),
      noise_(width, height),
      lagged_(width, height),
      out_(width, height),
      scratch_(width, height) {
  if (p_.fixed_pattern <= 0.0) return;
  gain_ = FluoroPlane(width, height);
  offset_ = FluoroPlane(width, height);
  parallel_for(0, height, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      Rng rng = fluoro_row_rng(seed_, -1, y);
      for (int64_t x = 0; x < width; ++x) {
        gain_.row(y)[x] = static_cast<float>(1.0 + p_.fixed_pattern * rng.normal());
        offset_.row(y)[x] = static_cast<float>(0.3 * p_.fixed_pattern * p_.photons * rng.normal());
      }
    }
  });
}

void FluoroDetector::blur(FluoroPlane& image) {
  const double all = p_.system_sigma_px(), painted = p_.painted_sigma_px;
  gaussian_blur(image, std::sqrt(std::max(0.0, all * all - painted * painted)), scratch_);
}

void FluoroDetector::expect(FluoroPlane& signal) {
  FluoroPlane scatter;
  if (p_.scatter_ratio > 0.0) scatter = coarse_blur(signal, p_.scatter_sigma_px);
  blur(signal);
  if (p_.scatter_ratio <= 0.0) return;
  parallel_for(0, signal.height, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      add_coarse_row(scatter,
                     kCoarseFactor,
                     y,
                     signal.width,
                     static_cast<float>(p_.scatter_ratio),
                     signal.row(y));
    }
  });
}

double FluoroDetector::noise_std(double expected) const {
  return std::sqrt(noise_gain_ * (expected / p_.dqe + p_.read_noise * p_.read_noise));
}

const FluoroPlane& FluoroDetector::read(const FluoroPlane& expected, int64_t frame) {
  const auto q = static_cast<float>(p_.dqe);
  const int64_t w = expected.width;
  parallel_for(0, expected.height, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      Rng rng = fluoro_row_rng(seed_, frame, y);
      const float* mean = expected.row(y);
      float* noise = noise_.row(y);
      for (int64_t x = 0; x < w; ++x) noise[x] = sample_poisson(mean[x] * q, rng) / q - mean[x];
      if (p_.read_noise <= 0.0) continue;
      for (int64_t x = 0; x < w; ++x) {
        noise[x] += static_cast<float>(p_.read_noise * rng.normal());
      }
    }
  });
  gaussian_blur(noise_, p_.noise_correlation_px, scratch_);
  const float keep = first_ ? 0.0F : static_cast<float>(p_.lag);
  first_ = false;
  parallel_for(0, expected.height, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      const float* mean = expected.row(y);
      const float* noise = noise_.row(y);
      float* lagged = lagged_.row(y);
      float* out = out_.row(y);
      for (int64_t x = 0; x < w; ++x) {
        lagged[x] = (1.0F - keep) * (mean[x] + noise[x]) + keep * lagged[x];
        out[x] = lagged[x];
      }
      if (gain_.values.empty()) continue;
      const float* gain = gain_.row(y);
      const float* offset = offset_.row(y);
      for (int64_t x = 0; x < w; ++x) out[x] = out[x] * gain[x] + offset[x];
    }
  });
  return out_;
}

}  // namespace voxloom::dataset
