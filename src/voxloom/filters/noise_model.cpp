#include "voxloom/filters/noise_model.h"

#include <algorithm>
#include <cmath>

namespace voxloom::filters {
namespace {

struct Sample {
  float mean = 0.0F, residual = 0.0F;
};

/// On a grid, to be cheap: some 30,000 pixels say enough.
std::vector<Sample> sample_residuals(const FrameView& view) {
  std::vector<Sample> samples;
  const int64_t w = view.width, h = view.height;
  const auto stride =
      std::max<int64_t>(1, std::llround(std::sqrt(static_cast<double>(w * h) / 30000.0)));
  for (int64_t y = 1; y < h - 1; y += stride) {
    for (int64_t x = 1; x < w - 1; x += stride) {
      float sum = 0.0F, lowest = 1.0F, highest = 0.0F;
      bool inside = true;
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          const auto i = static_cast<size_t>((y + dy) * w + x + dx);
          inside = inside && view.inside(i);
          sum += view.pixels[i];
          lowest = std::min(lowest, view.pixels[i]);
          highest = std::max(highest, view.pixels[i]);
        }
      }
      if (!inside || lowest <= 0.004F || highest >= 0.996F) continue;
      const float* p = view.pixels.data() + y * w + x;
      const float cross = p[-1] + p[1] + p[-w] + p[w];
      const float corners = p[-w - 1] + p[-w + 1] + p[w - 1] + p[w + 1];
      samples.push_back({sum / 9.0F, std::abs(4.0F * p[0] - 2.0F * cross + corners) / 6.0F});
    }
  }
  return samples;
}

struct Bin {
  double mean = 0.0, variance = 0.0;
};

std::vector<Bin> bins_of(std::vector<Sample>& samples) {
  std::sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return a.mean < b.mean;
  });
  const size_t count = std::clamp<size_t>(samples.size() / 100, 1, 12);
  std::vector<Bin> bins;
  std::vector<float> residuals;
  for (size_t k = 0; k < count; ++k) {
    const size_t first = k * samples.size() / count, last = (k + 1) * samples.size() / count;
    residuals.clear();
    double mean = 0.0;
    for (size_t i = first; i < last; ++i) {
      residuals.push_back(samples[i].residual);
      mean += samples[i].mean;
    }
    const double sigma = 1.4826 * quantile(residuals, 0.5);
    bins.push_back({mean / static_cast<double>(last - first), sigma * sigma});
  }
  return bins;
}

}  // namespace

double NoiseModel::variance(double mean) const {
  return std::max(0.0, gain * std::max(0.0, mean) + offset);
}

NoiseModel estimate_noise(const FrameView& view) {
  std::vector<Sample> samples = sample_residuals(view);
  if (samples.empty()) return {};
  const std::vector<Bin> bins = bins_of(samples);
  // A variance's own spread grows with it, so bins count by 1 / variance^2.
  double sw = 0.0, sm = 0.0, sv = 0.0, smm = 0.0, smv = 0.0;
  for (const Bin& bin : bins) {
    const double w = 1.0 / std::max(1e-12, bin.variance * bin.variance);
    sw += w;
    sm += w * bin.mean;
    sv += w * bin.variance;
    smm += w * bin.mean * bin.mean;
    smv += w * bin.mean * bin.variance;
  }
  const double spread = sw * smm - sm * sm;
  NoiseModel model;
  if (spread > 1e-9 * sw * smm) {
    model.gain = (sw * smv - sm * sv) / spread;
    model.offset = (sv - model.gain * sm) / sw;
  } else {
    model.offset = sv / sw;
  }
  if (model.gain < 0.0) {
    model = {0.0, sv / sw};
  } else if (model.offset < 0.0) {
    model = {smm > 0.0 ? smv / smm : 0.0, 0.0};
  }
  return model;
}

}  // namespace voxloom::filters
