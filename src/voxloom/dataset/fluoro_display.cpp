#include "voxloom/dataset/fluoro_display.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_blur.h"

namespace voxloom::dataset {
namespace {

constexpr size_t kTableSize = 4096;
constexpr double kSharpeningSigmaPx = 1.5;
constexpr double kEqualisationSigma = 0.06;  // of the picture's width

}  // namespace

FluoroDisplay::FluoroDisplay(const FluoroParameters& parameters,
                             const FluoroPlane& expected,
                             FluoroPlane field,
                             FluoroPlane caption)
    : p_(parameters),
      field_(std::move(field)),
      caption_(std::move(caption)),
      shown_(expected.width, expected.height),
      blurred_(expected.width, expected.height),
      scratch_(expected.width, expected.height) {
  if (p_.equalisation > 0.0) make_flatten(expected);
  const auto shown = [&](size_t i) {
    return flatten_.values.empty() ? expected.values[i] : expected.values[i] * flatten_.values[i];
  };
  std::vector<float> inside;
  for (size_t i = 0; i < expected.values.size(); i += 7) {
    if (field_.values[i] > 0.5F) inside.push_back(shown(i));
  }
  if (inside.empty()) inside = expected.values;
  std::sort(inside.begin(), inside.end());
  const auto quantile = [&](double q) {
    const auto i = static_cast<size_t>(q * static_cast<double>(inside.size() - 1));
    return std::max(0.5, static_cast<double>(inside[i]));
  };
  // Room for the noise on both sides; bright lung may saturate a little, as on real systems.
  const double noise =
      std::sqrt(gaussian_noise_gain(p_.noise_correlation_px) / (p_.dqe * quantile(0.5)));
  const double lo = quantile(0.002) * std::exp(-0.25 - 1.3 * noise);
  // Equal steps of the signal leave little for dark parts: lung saturates sooner.
  const double hi = quantile(p_.log_display ? 0.99 : 0.88) * std::exp(0.12 + 0.9 * noise);
  fill_table(lo, hi, 4.0 * hi);
}

/// From the first frame's expected signal, so that the factor does not flicker.
void FluoroDisplay::make_flatten(const FluoroPlane& expected) {
  FluoroPlane slow =
      coarse_blur(expected, kEqualisationSigma * static_cast<double>(expected.width));
  double mean = 0.0;
  for (const float v : slow.values) mean += static_cast<double>(v);
  mean /= static_cast<double>(slow.values.size());
  for (auto& v : slow.values) {
    v = static_cast<float>(
        std::pow(std::max(0.01, static_cast<double>(v) / mean), -p_.equalisation));
  }
  flatten_ = FluoroPlane(expected.width, expected.height);
  for (int64_t y = 0; y < expected.height; ++y) {
    add_coarse_row(slow, kCoarseFactor, y, expected.width, 1.0F, flatten_.row(y));
  }
}

void FluoroDisplay::fill_table(double lo, double hi, double highest) {
  const double root = std::sqrt(highest);
  table_scale_ = static_cast<float>(static_cast<double>(kTableSize - 2) / root);
  table_.resize(kTableSize);
  for (size_t i = 0; i < kTableSize; ++i) {
    const double s = root * static_cast<double>(i) / static_cast<double>(kTableSize - 2);
    const double y = std::max(s * s, 1e-3);
    const double t = p_.log_display ? std::log(y / lo) / std::log(hi / lo) : (y - lo) / (hi - lo);
    const double grey = std::pow(std::clamp(t, 0.0, 1.0), p_.gamma);
    table_[i] = static_cast<float>(p_.inverted ? 1.0 - grey : grey);
  }
}

std::vector<float> FluoroDisplay::show(const FluoroPlane& signal) {
  const int64_t w = signal.width, h = signal.height;
  const float keep = first_ ? 0.0F : static_cast<float>(p_.recursive);
  first_ = false;
  const float last_place = static_cast<float>(kTableSize - 2);
  parallel_for(0, h, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) {
      const float* in = signal.row(y);
      const float* factor = flatten_.values.empty() ? nullptr : flatten_.row(y);
      float* out = shown_.row(y);
      for (int64_t x = 0; x < w; ++x) {
        const float flat = factor != nullptr ? in[x] * factor[x] : in[x];
        const float place = std::min(std::sqrt(std::max(flat, 0.0F)) * table_scale_, last_place);
        const auto i = static_cast<int32_t>(place);
        const float* at = table_.data() + i;
        const float grey = at[0] + (place - static_cast<float>(i)) * (at[1] - at[0]);
        out[x] = (1.0F - keep) * grey + keep * out[x];
      }
    }
  });
  const auto amount = static_cast<float>(p_.sharpening);
  if (amount > 0.0F) {
    blurred_.values = shown_.values;
    gaussian_blur(blurred_, kSharpeningSigmaPx, scratch_);
  }
  std::vector<float> picture(static_cast<size_t>(w * h));
  parallel_for(0, h, kFluoroRowGrain, [&](int64_t first, int64_t last) {
    for (int64_t i = first * w; i < last * w; ++i) {
      const auto k = static_cast<size_t>(i);
      float v = shown_.values[k];
      if (amount > 0.0F) v += amount * (v - blurred_.values[k]);
      v *= field_.values[k];
      if (!caption_.values.empty() && caption_.values[k] != 0.0F) {
        v = caption_.values[k] > 0.0F ? 0.95F : 0.25F * v;
      }
      const auto level = static_cast<int32_t>(std::clamp(v, 0.0F, 1.0F) * 255.0F + 0.5F);
      picture[k] = static_cast<float>(level) / 255.0F;
    }
  });
  return picture;
}

}  // namespace voxloom::dataset
