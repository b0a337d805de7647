#include "voxloom/nn/hessian.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/autocast_mode.h>

#include "voxloom/core/error.h"

#include "golden_case.h"
#include "gradient_check.h"

namespace voxloom::nn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

double value(const at::Tensor& scalar) {
  return scalar.item<double>();
}

at::Tensor noise(const std::vector<int64_t>& shape, uint64_t seed) {
  return torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::kDouble);
}

class HessianGoldenTest : public testing::Test {
 protected:
  const GoldenCase golden_;
  const nlohmann::json frangi_ = nlohmann::json::parse(
      read_text_file(std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) + "/guidewire/frangi_32x32.json"));
  const at::Tensor image_ = 0.8 - 0.5 * golden_.p;
  const std::vector<double> sigmas_{1.0, 1.5, 2.0};

  void expect_row(const at::Tensor& map,
                  int64_t row,
                  int64_t column,
                  const nlohmann::json& values,
                  double tolerance) const {
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(
          value(map[row][column + static_cast<int64_t>(i)]), values[i].get<double>(), tolerance)
          << row << " " << column + static_cast<int64_t>(i);
    }
  }
};

// The golden values are printed with 8 decimals.
TEST_F(HessianGoldenTest, SampledKernelsGiveTheEigenvaluesOfSciPy) {
  const at::Tensor maps = Hessian(HessianOptions{.sigmas = sigmas_, .corrected = false})(image_)[0];
  const char* names[] = {"sigma1", "sigma1.5", "sigma2"};
  for (int64_t scale = 0; scale < 3; ++scale) {
    const auto& expected = frangi_[names[scale]];
    expect_row(maps[2 * scale], 15, 12, expected["l1"], 1e-7);
    expect_row(maps[2 * scale + 1], 15, 12, expected["l2"], 1e-7);
  }
}

// The correction makes up for the Gaussian's cut tails: up to 0.4 percent at sigma 2.
TEST_F(HessianGoldenTest, CorrectedKernelsStayNearThem) {
  const at::Tensor sampled = Hessian(HessianOptions{.sigmas = sigmas_, .corrected = false})(image_);
  const at::Tensor corrected = Hessian(HessianOptions{.sigmas = sigmas_})(image_);
  EXPECT_LT(value((sampled - corrected).abs().max()), 1e-3);
}

TEST_F(HessianGoldenTest, FrangiEqualsTheTextbookValues) {
  const char* names[] = {"sigma1", "sigma1.5", "sigma2"};
  for (size_t scale = 0; scale < 3; ++scale) {
    const auto& expected = frangi_[names[scale]];
    const at::Tensor maps =
        Hessian(HessianOptions{.sigmas = {sigmas_[scale]}, .corrected = false})(image_);
    const at::Tensor v = frangi(maps)[0][0];
    expect_row(v, 10, 12, expected["V_row10_col12_23"], 1e-6);
    EXPECT_NEAR(value(v.max()), expected["max"].get<double>(), 1e-6);
    const double c = expected["c"].get<double>();
    EXPECT_TRUE(torch::allclose(frangi(maps, {.c = c})[0][0], v, 1e-6, 1e-8));
  }
  const at::Tensor v =
      frangi(Hessian(HessianOptions{.sigmas = sigmas_, .corrected = false})(image_))[0][0];
  const auto& multi = frangi_["multi"];
  expect_row(v, 10, 12, multi["row10_col12_23"], 1e-6);
  expect_row(v, 20, 6, multi["row20_col6_17"], 1e-6);
  EXPECT_NEAR(value(v.sum()), multi["sum"].get<double>(), 1e-4);
  EXPECT_NEAR(value(v.max()), multi["max"].get<double>(), 1e-6);
}

// l2 = A w sigma^2 / (w^2 + sigma^2)^1.5 on a dark line of Gaussian profile.
TEST(HessianTest, AGaussianLineHasItsAnalyticCurvature) {
  const double depth = 0.4, width = 1.0;
  const at::Tensor x = torch::arange(-40, 41, torch::kDouble);
  const at::Tensor profile = 1.0 - depth * (-x.square() / (2.0 * width * width)).exp();
  const at::Tensor image = profile.expand({1, 1, 81, 81}).contiguous();
  for (const double sigma : {1.0, 1.5, 2.0, 3.0}) {
    const at::Tensor maps = Hessian(HessianOptions{.sigmas = {sigma}})(image);
    const double expected =
        depth * width * sigma * sigma / std::pow(width * width + sigma * sigma, 1.5);
    const double l1 = value(maps[0][0][40][40]), l2 = value(maps[0][1][40][40]);
    EXPECT_NEAR(l2, expected, 0.005 * expected) << sigma;
    EXPECT_LT(std::abs(l1), 0.1 * l2);
  }
}

TEST(HessianTest, CorrectedKernelsAreExactOnParabolas) {
  for (const double sigma : {0.8, 1.0, 2.5, 4.0}) {
    const GaussianKernels k = gaussian_kernels(sigma, true);
    double zero = 0.0, two = 0.0, smooth = 0.0, odd = 0.0;
    const auto radius = static_cast<int64_t>(k.second.size() / 2);
    for (int64_t x = -radius; x <= radius; ++x) {
      const auto at = static_cast<size_t>(x + radius);
      zero += k.second[at];
      two += k.second[at] * static_cast<double>(x * x);
      smooth += k.smooth[at];
      odd += k.first[at];
    }
    EXPECT_NEAR(zero, 0.0, 1e-14);
    EXPECT_NEAR(two, 2.0, 1e-12);
    EXPECT_NEAR(smooth, 1.0, 1e-12);
    EXPECT_NEAR(odd, 0.0, 1e-14);
  }
}

TEST(HessianTest, QuarterTurnsAndFlipsOfTheImageTurnTheMaps) {
  const at::Tensor image = noise({1, 1, 21, 21}, 1);
  Hessian layer(HessianOptions{.sigmas = {1.0, 2.0}});
  const at::Tensor maps = layer(image);
  EXPECT_TRUE(torch::allclose(layer(image.rot90(1, {2, 3})), maps.rot90(1, {2, 3}), 0.0, 1e-12));
  EXPECT_TRUE(torch::allclose(layer(image.flip(2)), maps.flip(2), 0.0, 1e-12));
  EXPECT_TRUE(torch::allclose(layer(image.transpose(2, 3)), maps.transpose(2, 3), 0.0, 1e-12));
}

TEST(HessianTest, TheLargerEigenvalueComesSecond) {
  const at::Tensor maps = Hessian(HessianOptions{.sigmas = {1.5}})(noise({2, 1, 16, 16}, 2));
  EXPECT_TRUE((maps.narrow(1, 0, 1).abs() <= maps.narrow(1, 1, 1).abs()).all().item<bool>());
}

TEST(HessianTest, GradientsEqualFiniteDifferences) {
  Hessian layer(HessianOptions{.sigmas = {0.8, 1.5}});
  const at::Tensor mix = noise({1, 4, 6, 7}, 3), image = noise({1, 1, 6, 7}, 4);
  int64_t kinks = 0;
  EXPECT_LT(
      gradient_error([&](const at::Tensor& x) { return (layer(x) * mix).sum(); }, image, kinks),
      1e-6);
  EXPECT_LT(kinks, 5);
  const at::Tensor one = mix.narrow(1, 0, 1);
  EXPECT_LT(gradient_error(
                [&](const at::Tensor& x) { return (frangi(layer(x), {.c = 0.5}) * one).sum(); },
                image,
                kinks),
            1e-6);
}

TEST(HessianTest, GradientsStayFiniteWhereNothingIsCurved) {
  for (const at::Tensor& image : {torch::zeros({1, 1, 12, 12}), torch::ones({1, 1, 12, 12})}) {
    const at::Tensor x = image.clone().requires_grad_(true);
    const at::Tensor maps = Hessian(HessianOptions{})(x);
    (maps.sum() + frangi(maps).sum()).backward();
    EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
  }
}

TEST(HessianTest, IsNeverComputedInHalfPrecision) {
  const at::Tensor image = noise({1, 1, 16, 16}, 5).to(torch::kBFloat16);
  Hessian layer(HessianOptions{});
  const at::Tensor expected = layer(image.to(torch::kFloat));
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor maps = layer(image);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_EQ(maps.scalar_type(), torch::kFloat);
  EXPECT_TRUE(torch::equal(maps, expected));
  EXPECT_TRUE(layer->parameters().empty() && layer->buffers().empty());
}

TEST(HessianTest, RefusesScalesThatSamplesCannotShow) {
  EXPECT_THAT([] { Hessian layer(HessianOptions{.sigmas = {0.5}}); },
              ThrowsMessage<Error>(HasSubstr("sigmas must lie in [0.8, 64] px, got 0.5")));
}

}  // namespace
}  // namespace voxloom::nn
