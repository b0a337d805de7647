#include "voxloom/dataset/fluoro_noise.h"

#include <array>
#include <cmath>

namespace voxloom::dataset {
namespace {

/// log(k!): a table, then Stirling's series. std::lgamma would write a global sign.
double log_factorial(double k) {
  static const auto table = [] {
    std::array<double, 64> t{};
    for (size_t i = 1; i < t.size(); ++i) t[i] = t[i - 1] + std::log(static_cast<double>(i));
    return t;
  }();
  if (k < static_cast<double>(table.size())) return table[static_cast<size_t>(k)];
  const double n = k + 1.0;
  return (n - 0.5) * std::log(n) - n + 0.91893853320467274 + 1.0 / (12.0 * n) -
         1.0 / (360.0 * n * n * n);
}

float poisson_by_inversion(double mean, Rng& rng) {
  double p = std::exp(-mean);
  double u = rng.uniform();
  int k = 0;
  // 200 is beyond what 53 bits can reach for a mean below 10; it only ends a sum of roundings.
  while (u > p && k < 200) {
    u -= p;
    ++k;
    p *= mean / k;
  }
  return static_cast<float>(k);
}

float poisson_by_rejection(double mean, Rng& rng) {
  const double b = 0.931 + 2.53 * std::sqrt(mean);
  const double a = -0.059 + 0.02483 * b;
  const double v_accept = 0.9277 - 3.6224 / (b - 2.0);
  for (;;) {
    const uint64_t bits = rng.next();
    const double u = static_cast<double>(bits >> 32) * 0x1.0p-32 - 0.5;
    const double v = (static_cast<double>(bits & 0xffffffffU) + 0.5) * 0x1.0p-32;
    const double us = 0.5 - std::abs(u);
    if (us <= 0.0) continue;
    const double k = std::floor((2.0 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_accept) return static_cast<float>(k);
    if (k < 0.0 || (us < 0.013 && v > us)) continue;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    if (std::log(v * inverse_alpha / (a / (us * us) + b)) <=
        k * std::log(mean) - mean - log_factorial(k)) {
      return static_cast<float>(k);
    }
  }
}

}  // namespace

float sample_poisson(float mean, Rng& rng) {
  if (!(mean > 0.0F)) return 0.0F;
  return mean < 10.0F ? poisson_by_inversion(static_cast<double>(mean), rng)
                      : poisson_by_rejection(static_cast<double>(mean), rng);
}

Rng fluoro_row_rng(uint64_t seed, int64_t frame, int64_t row) {
  return Rng(seed, (static_cast<uint64_t>(frame + 1) << 20) + static_cast<uint64_t>(row));
}

}  // namespace voxloom::dataset
