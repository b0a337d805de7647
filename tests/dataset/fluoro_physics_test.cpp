// Checks V1-V6 of the simulator (guidewire.md 11.5) on its parts.
#include <cmath>
#include <complex>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/dataset/fluoro_blur.h"
#include "voxloom/dataset/fluoro_detector.h"
#include "voxloom/dataset/fluoro_math.h"
#include "voxloom/dataset/fluoro_noise.h"
#include "voxloom/dataset/fluoro_tube.h"

namespace voxloom::dataset {
namespace {

struct Moments {
  double mean = 0.0, variance = 0.0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  for (const float v : values) m.mean += static_cast<double>(v);
  m.mean /= static_cast<double>(values.size());
  for (const float v : values) m.variance += std::pow(static_cast<double>(v) - m.mean, 2.0);
  m.variance /= static_cast<double>(values.size() - 1);
  return m;
}

/// No scatter, blur, lag, pattern or correlation.
FluoroParameters ideal() {
  FluoroParameters p;
  p.scatter_ratio = 0.0;
  p.focal_sigma_px = p.detector_sigma_px = 0.0;
  p.lag = p.fixed_pattern = p.noise_correlation_px = 0.0;
  p.dqe = 0.7;
  p.read_noise = 1.5;
  return p;
}

/// Least-squares slope of y over x.
double slope(const std::vector<double>& x, const std::vector<double>& y) {
  double mx = 0.0, my = 0.0, xy = 0.0, xx = 0.0;
  for (size_t i = 0; i < x.size(); ++i) mx += x[i], my += y[i];
  mx /= static_cast<double>(x.size());
  my /= static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
  }
  return xy / xx;
}

TEST(FluoroNoise, PoissonNumbersHaveTheMomentsAndProbabilitiesOfTheDistribution) {
  for (const double mean : {0.05, 1.0, 4.0, 9.9, 10.1, 17.0, 24.0, 60.0, 400.0, 20000.0}) {
    Rng rng(3, static_cast<uint64_t>(mean * 100.0));
    std::vector<float> draws(200000);
    for (auto& d : draws) d = sample_poisson(static_cast<float>(mean), rng);
    const Moments m = moments(draws);
    const double error = 5.0 * std::sqrt(mean / 200000.0);
    EXPECT_NEAR(m.mean, mean, error);
    EXPECT_NEAR(m.variance / mean, 1.0, 0.025 + 5.0 * std::sqrt(1.0 / (mean * 200000.0)));
    // Probability of the mode.
    const double k = std::floor(mean);
    const double expected = std::exp(k * std::log(mean) - mean - std::lgamma(k + 1.0));
    double hits = 0.0;
    for (const float d : draws) hits += d == static_cast<float>(k) ? 1.0 : 0.0;
    EXPECT_NEAR(hits / 200000.0, expected, 5.0 * std::sqrt(expected / 200000.0)) << mean;
  }
  Rng rng(1);
  EXPECT_EQ(sample_poisson(0.0F, rng), 0.0F);
}

TEST(FluoroPhysics, V1VarianceRisesWithTheMeanByTheGain) {
  const FluoroParameters p = ideal();
  FluoroDetector detector(p, 512, 512, 11);
  std::vector<double> means, variances;
  for (const double level : {5.0, 12.0, 24.0, 60.0, 120.0, 240.0}) {
    const FluoroPlane flat(512, 512, static_cast<float>(level));
    const Moments m = moments(detector.read(flat, static_cast<int64_t>(level)).values);
    EXPECT_NEAR(m.mean, level, 0.01 * level);
    EXPECT_NEAR(std::sqrt(m.variance), detector.noise_std(level), 0.01 * std::sqrt(m.variance));
    means.push_back(m.mean);
    variances.push_back(m.variance);
  }
  EXPECT_NEAR(slope(means, variances) * p.dqe, 1.0, 0.02);
}

TEST(FluoroPhysics, V2StepWedgeFollowsBeerAndLambert) {
  FluoroParameters p = ideal();
  p.focal_sigma_px = 0.6;
  p.detector_sigma_px = 0.5;
  FluoroDetector detector(p, 320, 64, 1);
  FluoroPlane signal(320, 64);
  for (int64_t y = 0; y < 64; ++y) {
    for (int64_t x = 0; x < 320; ++x) {
      const double cm = static_cast<double>(x / 32) * 3.0;  // 0 to 27 cm of water
      signal.row(y)[x] = 1.0e6F * fast_exp(static_cast<float>(-10.0 * cm * FluoroMu::kWater));
    }
  }
  detector.expect(signal);
  for (int64_t step = 0; step < 10; ++step) {
    const double got = static_cast<double>(signal.row(32)[step * 32 + 16]) / 1.0e6;
    const double law = std::exp(-0.206 * 3.0 * static_cast<double>(step));
    EXPECT_NEAR(got / law, 1.0, 0.005) << step;
  }
}

TEST(FluoroPhysics, V2ScatterAddsItsRatioAndDividesTheContrast) {
  FluoroParameters p = ideal();
  p.scatter_ratio = 1.5;
  FluoroDetector detector(p, 256, 256, 1);
  FluoroPlane signal(256, 256, 100.0F);
  for (int64_t y = 0; y < 256; ++y) signal.row(y)[128] = 71.0F;  // a wire's shadow
  detector.expect(signal);
  EXPECT_NEAR(signal.row(128)[40], 250.0F, 1.0F);
  const float contrast = 1.0F - signal.row(128)[128] / signal.row(128)[140];
  EXPECT_NEAR(contrast, 0.29F / 2.5F, 0.002F);
}

TEST(FluoroPhysics, V2WireTransmitsWhatTheTablesSay) {
  // Steel of 0.36 mm: 0.71 through the diameter; pixels much finer than the wire.
  const double pixel_mm = 0.005;
  const FluoroTubeProfile profile(
      {.radius = 0.5 * 0.36 / pixel_mm, .mu = FluoroMu::kSteel * pixel_mm});
  EXPECT_NEAR(std::exp(-static_cast<double>(profile.at(0.0F))), 0.71, 0.005);
  const double expected = FluoroMu::kSteel * 2.0 * std::sqrt(0.18 * 0.18 - 0.09 * 0.09);
  EXPECT_NEAR(static_cast<double>(profile.at(18.0F)), expected, 0.005 * expected);
}

/// Full width at half maximum of a slanted wire, from many pixels at their true distances.
double measured_width(const FluoroPlane& image, FluoroPoint a, FluoroPoint b, double bin) {
  const FluoroPoint d = b - a;
  const double l = length(d);
  std::vector<double> sums(400), counts(400);
  for (int64_t y = 20; y < image.height - 20; ++y) {
    for (int64_t x = 20; x < image.width - 20; ++x) {
      const FluoroPoint q = FluoroPoint{static_cast<double>(x), static_cast<double>(y)} - a;
      const double across = std::abs(q.x * d.y - q.y * d.x) / l;
      const auto i = static_cast<size_t>(across / bin);
      if (i >= sums.size()) continue;
      sums[i] += static_cast<double>(image.row(y)[x]);
      counts[i] += 1.0;
    }
  }
  const double peak = sums[0] / counts[0];
  for (size_t i = 1; i < sums.size(); ++i) {
    const double here = sums[i] / counts[i], before = sums[i - 1] / counts[i - 1];
    if (here > 0.5 * peak) continue;
    return 2.0 * bin * (static_cast<double>(i) - 0.5 + (before - 0.5 * peak) / (before - here));
  }
  return 0.0;
}

/// The same width from the convolution of chord, pixel and Gaussian, done numerically.
double convolved_width(double radius, double sigma) {
  constexpr double kStep = 0.02;
  const auto value = [&](double x) {
    double sum = 0.0;
    for (double u = -radius; u <= radius; u += kStep) {
      const double chord = std::sqrt(std::max(0.0, radius * radius - u * u));
      // A Gaussian averaged over one pixel.
      const double s = std::sqrt(2.0) * sigma;
      sum += chord * (std::erf((x - u + 0.5) / s) - std::erf((x - u - 0.5) / s));
    }
    return sum;
  };
  const double peak = value(0.0);
  double x = 0.0;
  while (value(x) > 0.5 * peak) x += kStep;
  return 2.0 * x;
}

double rendered_width(double radius, double sigma) {
  const FluoroPoint a{60.0, -20.0}, b{110.0, 220.0};
  FluoroTubePainter painter(180, 200);
  const double painted = kFluoroPaintedShare * sigma;
  const FluoroTubeProfile profile({.radius = radius, .mu = 0.01, .blur = painted});
  FluoroPlane image(180, 200), scratch;
  for (const auto& hit : painter.paint({{a, b}, {}, {}}, profile)) {
    image.values[static_cast<size_t>(hit.pixel)] = hit.depth;
  }
  gaussian_blur(image, std::sqrt(sigma * sigma - painted * painted), scratch);
  return measured_width(image, a, b, 0.1);
}

TEST(FluoroPhysics, V3WireProfileIsAsWideAsWirePixelAndBlurTogether) {
  for (const double radius : {0.7, 1.0, 1.5, 3.0}) {
    for (const double sigma : {0.5, 0.8, 1.2}) {
      EXPECT_NEAR(rendered_width(radius, sigma) / convolved_width(radius, sigma), 1.0, 0.05)
          << "radius " << radius << " sigma " << sigma;
    }
  }
}

TEST(FluoroPhysics, V3WidthFollowsTheSumOfSquares) {
  // w: the Gaussian with the variance of chord (r^2 / 4) and pixel (1 / 12). The sum rule is that
  // of Gaussians, so it holds where the blur is not small beside the wire.
  for (const double radius : {0.7, 0.9, 1.1}) {
    for (const double sigma : {0.7, 0.9, 1.2}) {
      const double w2 = 5.55 * (0.25 * radius * radius + 1.0 / 12.0);
      const double expected = std::sqrt(w2 + 5.55 * sigma * sigma);
      EXPECT_NEAR(rendered_width(radius, sigma) / expected, 1.0, 0.05)
          << "radius " << radius << " sigma " << sigma;
    }
  }
}

/// Mean periodogram of the rows at frequency k / width, over the value for white noise.
double noise_power(const FluoroPlane& noise, double mean, int64_t k, double variance) {
  double sum = 0.0;
  for (int64_t y = 0; y < noise.height; ++y) {
    std::complex<double> s = 0.0;
    for (int64_t x = 0; x < noise.width; ++x) {
      const double phase =
          -2.0 * kPi * static_cast<double>(k * x) / static_cast<double>(noise.width);
      s += (static_cast<double>(noise.row(y)[x]) - mean) * std::polar(1.0, phase);
    }
    sum += std::norm(s) / static_cast<double>(noise.width);
  }
  return sum / static_cast<double>(noise.height) / variance;
}

TEST(FluoroPhysics, V4NoisePowerIsFlatWithoutCorrelationAndRollsOffWithIt) {
  const FluoroPlane flat(256, 512, 50.0F);
  FluoroParameters p = ideal();
  FluoroDetector white(p, 256, 512, 5);
  const FluoroPlane noise = white.read(flat, 0);
  const double variance = 50.0 / p.dqe + p.read_noise * p.read_noise;
  for (const int64_t k : {8, 32, 64, 96, 120}) {
    EXPECT_NEAR(noise_power(noise, 50.0, k, variance), 1.0, 0.2) << k;
  }
  p.noise_correlation_px = 0.8;
  FluoroDetector correlated(p, 256, 512, 5);
  const FluoroPlane soft = correlated.read(flat, 0);
  // A row holds the blur across it too: sum of the squared weights of that direction.
  const double across = std::sqrt(gaussian_noise_gain(0.8));
  for (const int64_t k : {8, 32, 48, 64}) {
    const double f = static_cast<double>(k) / 256.0;
    const double transfer = std::exp(-4.0 * kPi * kPi * 0.8 * 0.8 * f * f);
    EXPECT_NEAR(noise_power(soft, 50.0, k, variance) / (across * transfer), 1.0, 0.25) << k;
  }
  EXPECT_NEAR(std::sqrt(moments(soft.values).variance),
              correlated.noise_std(50.0),
              0.02 * correlated.noise_std(50.0));
}

TEST(FluoroPhysics, V5NeighbouringFramesCorrelateByTheLag) {
  for (const double lag : {0.02, 0.06, 0.1}) {
    FluoroParameters p = ideal();
    p.lag = lag;
    FluoroDetector detector(p, 512, 512, 9);
    const FluoroPlane flat(512, 512, 24.0F);
    for (int64_t i = 0; i < 4; ++i) static_cast<void>(detector.read(flat, i));
    const FluoroPlane before = detector.read(flat, 4);
    const FluoroPlane after = detector.read(flat, 5);
    double covariance = 0.0;
    for (size_t i = 0; i < before.values.size(); ++i) {
      covariance += (static_cast<double>(before.values[i]) - 24.0) *
                    (static_cast<double>(after.values[i]) - 24.0);
    }
    covariance /= static_cast<double>(before.values.size());
    EXPECT_NEAR(covariance / moments(before.values).variance, lag, 0.01);
  }
}

TEST(FluoroPhysics, CrossingStrandsAddTheirPathLengths) {
  FluoroTubePainter painter(64, 64);
  const FluoroTubeProfile profile({.radius = 2.0, .mu = 0.1});
  // One wire that crosses itself at (32, 32).
  const FluoroCurve loop = {{2, 32}, {60, 32}, {60, 60}, {32, 60}, {32, 2}};
  double crossing = 0.0, single = 0.0;
  for (const auto& hit : painter.paint({loop, {}, {}}, profile)) {
    if (hit.pixel == 32 * 64 + 32) crossing = static_cast<double>(hit.depth);
    if (hit.pixel == 32 * 64 + 10) single = static_cast<double>(hit.depth);
  }
  EXPECT_NEAR(single, static_cast<double>(profile.at(0.0F)), 1e-6);
  EXPECT_NEAR(crossing, 2.0 * single, 1e-6);
}

}  // namespace
}  // namespace voxloom::dataset
