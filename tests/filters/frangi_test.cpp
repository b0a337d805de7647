#include "voxloom/filters/frangi.h"

#include <algorithm>
#include <fstream>
#include <numbers>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/filters/hessian.h"
#include "voxloom/filters/lanes.h"

#include "pictures.h"

namespace voxloom::filters {
namespace {

using nlohmann::json;

constexpr int64_t kSide = 32;

json golden(const std::string& name) {
  std::ifstream file(std::string(VOXLOOM_SOURCE_DIR) + "/tests/golden/guidewire/" + name);
  return json::parse(file);
}

/// 0.8 - 0.5 * the golden prediction.
std::vector<double> golden_image() {
  std::vector<double> image;
  const json reference = golden("losses_metrics_32x32.json");
  for (const auto& row : reference.at("pred")) {
    for (const auto& v : row) image.push_back(0.8 - 0.5 * v.get<double>());
  }
  return image;
}

void expect_near(const json& expected, const double* found, double tolerance, const char* what) {
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(expected[i].get<double>(), found[i], tolerance) << what << " " << i;
  }
}

// Values of scipy's sampled Gaussian derivatives, given with 8 decimals.
TEST(FrangiTest, EigenvaluesAndMeasureEqualTheReference) {
  const auto reference = golden("frangi_32x32.json");
  const auto image = golden_image();
  ASSERT_EQ(image.size(), static_cast<size_t>(kSide * kSide));
  std::vector<double> multi(image.size(), 0.0);
  for (const double sigma : {1.0, 1.5, 2.0}) {
    const auto& expected = reference.at(sigma == 1.5   ? "sigma1.5"
                                        : sigma == 1.0 ? "sigma1"
                                                       : "sigma2");
    const auto found = hessian_eigenvalues<double>(image, kSide, kSide, sigma);
    const size_t row15 = 15 * kSide + 12, row10 = 10 * kSide + 12;
    expect_near(expected.at("l1"), found.l1.data() + row15, 1e-6, "l1");
    expect_near(expected.at("l2"), found.l2.data() + row15, 1e-6, "l2");
    const FrangiScale scale = frangi_scale(image, kSide, kSide, sigma, {});
    EXPECT_NEAR(scale.c, expected.at("c").get<double>(), 1e-6);
    expect_near(expected.at("V_row10_col12_23"), scale.v.data() + row10, 1e-6, "V");
    EXPECT_NEAR(
        *std::max_element(scale.v.begin(), scale.v.end()), expected.at("max").get<double>(), 1e-6);
    for (size_t i = 0; i < multi.size(); ++i) multi[i] = std::max(multi[i], scale.v[i]);
  }
  const auto& expected = reference.at("multi");
  expect_near(expected.at("row10_col12_23"), multi.data() + 10 * kSide + 12, 1e-6, "row 10");
  expect_near(expected.at("row20_col6_17"), multi.data() + 20 * kSide + 6, 1e-6, "row 20");
  double sum = 0.0;
  for (const double v : multi) sum += v;
  EXPECT_NEAR(sum, expected.at("sum").get<double>(), 1e-4);
}

TEST(FrangiTest, LiveFilterEqualsTheReferenceInSinglePrecision) {
  const auto image = golden_image();
  const std::vector<float> pixels(image.begin(), image.end());
  std::vector<float> live(pixels.size());
  Frangi filter({});
  filter(FrameView(pixels, kSide, kSide), live);
  std::vector<double> expected(pixels.size(), 0.0);
  for (const double sigma : {1.0, 1.5, 2.0}) {
    const FrangiScale scale = frangi_scale(image, kSide, kSide, sigma, {});
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = std::max(expected[i], scale.v[i]);
  }
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(live[i], expected[i], 2e-4) << i;
}

// Analytic l2 of a Gaussian line of standard deviation w and depth A (guidewire.md 2.5).
TEST(FrangiTest, ScaleResponseFollowsTheFormulaForAGaussianLine) {
  constexpr int64_t kWidth = 96;
  constexpr double kLine = 1.5, kDepth = 0.4;
  image::Frame frame{.width = kWidth, .height = kWidth};
  frame.pixels.assign(kWidth * kWidth, 1.0F);
  test::draw_wire(frame, 48, -50, 48, 150, kDepth, kLine);
  for (const double sigma : {1.0, 1.5, 2.0, 3.0}) {
    const auto found = hessian_eigenvalues<float>(frame.pixels, kWidth, kWidth, sigma);
    const double s2 = sigma * sigma;
    const double expected = kDepth * kLine * s2 / std::pow(kLine * kLine + s2, 1.5);
    EXPECT_NEAR(test::at(found.l2, kWidth, 48, 48), expected, 0.006 * expected) << sigma;
    EXPECT_LT(std::abs(test::at(found.l1, kWidth, 48, 48)), 0.1 * expected);
  }
}

// Odd sizes and widths below a block of the vector code take other ways through the loops.
TEST(FrangiTest, SinglePrecisionAgreesWithDoubleForAnySize) {
  Rng rng(3);
  for (const auto& [w, h] :
       {std::pair<int64_t, int64_t>{1, 1}, {5, 40}, {33, 7}, {64, 31}, {97, 50}}) {
    std::vector<double> image;
    for (int64_t i = 0; i < w * h; ++i) image.push_back(rng.uniform());
    const std::vector<float> pixels(image.begin(), image.end());
    for (const double sigma : {0.8, 2.0}) {
      const auto a = hessian_eigenvalues<double>(image, w, h, sigma);
      const auto b = hessian_eigenvalues<float>(pixels, w, h, sigma);
      for (size_t i = 0; i < image.size(); ++i) {
        // Where both have one magnitude their order is open.
        EXPECT_NEAR(std::abs(a.l1[i]), std::abs(b.l1[i]), 2e-5) << w << "x" << h << " " << i;
        EXPECT_NEAR(std::abs(a.l2[i]), std::abs(b.l2[i]), 2e-5) << w << "x" << h << " " << i;
      }
    }
  }
}

TEST(FrangiTest, FindsDarkLinesAndBrightOnesOnRequestOnly) {
  image::Frame frame = test::anatomy(128, 128);
  test::draw_wire(frame, 10, 20, 120, 100, 0.4, 1.2);
  std::vector<float> dark(frame.pixels.size()), bright(frame.pixels.size());
  Frangi dark_filter({});
  infer::FrangiOptions bright_options;
  bright_options.bright = true;
  Frangi bright_filter(bright_options);
  dark_filter(FrameView(frame), dark);
  bright_filter(FrameView(frame), bright);
  EXPECT_GT(test::at(dark, 128, 65, 60), 0.5F);
  EXPECT_EQ(test::at(bright, 128, 65, 60), 0.0F);
  image::Frame inverse = frame;
  for (float& v : inverse.pixels) v = 1.0F - v;
  std::vector<float> again(frame.pixels.size());
  bright_filter(FrameView(inverse), again);
  for (size_t i = 0; i < dark.size(); ++i) {
    // Kernels cut at 4 sigma do not quite sum to 0, so a constant counts a little.
    EXPECT_NEAR(again[i], dark[i], 0.01);
  }
}

TEST(FrangiTest, AFlatImageHasNoLines) {
  const std::vector<float> flat(64 * 64, 0.5F);
  std::vector<float> out(flat.size());
  Frangi filter({});
  filter(FrameView(flat, 64, 64), out);
  EXPECT_LT(*std::max_element(out.begin(), out.end()), 0.05F);
}

TEST(FrangiTest, ResponseTurnsWithTheImage) {
  image::Frame frame = test::anatomy(64, 64);
  test::draw_wire(frame, 5, 10, 60, 50, 0.4, 1.2);
  std::vector<float> turned(frame.pixels.size()), a(turned.size()), b(turned.size());
  for (int64_t y = 0; y < 64; ++y) {
    for (int64_t x = 0; x < 64; ++x) {
      turned[static_cast<size_t>(x * 64 + 63 - y)] = test::at(frame.pixels, 64, x, y);
    }
  }
  Frangi filter({});
  filter(FrameView(frame), a);
  filter(FrameView(turned, 64, 64), b);
  for (int64_t y = 0; y < 64; ++y) {
    for (int64_t x = 0; x < 64; ++x) {
      EXPECT_NEAR(test::at(a, 64, x, y), test::at(b, 64, 63 - y, x), 1e-3);
    }
  }
}

TEST(FrangiTest, RidgeDirectionRunsAlongTheWire) {
  for (const double angle : {0.0, 0.4, 1.2, -0.7}) {
    image::Frame frame{.width = 64, .height = 64};
    frame.pixels.assign(64 * 64, 1.0F);
    const double c = 40 * std::cos(angle), s = 40 * std::sin(angle);
    test::draw_wire(frame, 32 - c, 32 - s, 32 + c, 32 + s, 0.5, 1.5);
    const auto directions = ridge_direction(frame.pixels, 64, 64, 1.5);
    double off = std::abs(test::at(directions, 64, 32, 32) - angle);
    off = std::min(off, std::abs(off - std::numbers::pi));
    EXPECT_LT(off, 0.05) << angle;
  }
}

TEST(FrangiTest, SmallSigmasAreRefused) {
  const std::vector<float> image(16, 0.0F);
  EXPECT_THROW((void)hessian_eigenvalues<float>(image, 4, 4, 0.6), Error);
  EXPECT_THROW((void)hessian_eigenvalues<float>(image, 5, 4, 1.0), Error);
  EXPECT_THROW(Frangi({.sigmas = {}}), Error);
}

TEST(LanesTest, ExponentialAndLogarithmKeepTheirPrecision) {
  for (float x = -90.0F; x <= 0.0F; x += 0.0137F) {
    const double expected = x < -87.0F ? 0.0 : std::exp(static_cast<double>(x));
    EXPECT_NEAR(exp_below_zero(x), expected, 3e-7 * expected) << x;
  }
  EXPECT_EQ(exp_below_zero(0.0F), 1.0F);
  for (float x = 1e-4F; x <= 2.0F; x *= 1.003F) {
    EXPECT_NEAR(log_positive(x), std::log(static_cast<double>(x)), 2e-6) << x;
  }
}

}  // namespace
}  // namespace voxloom::filters
