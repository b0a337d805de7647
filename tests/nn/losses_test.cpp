#include "voxloom/nn/losses.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/soft_skeleton.h"
#include "voxloom/nn/topology_losses.h"

#include "golden_case.h"
#include "gradient_check.h"

namespace voxloom::nn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

double value(const at::Tensor& scalar) {
  return scalar.item<double>();
}

at::Tensor uniform(at::IntArrayRef shape, uint64_t seed) {
  return torch::rand(shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::kDouble);
}

at::Tensor random_mask(at::IntArrayRef shape, uint64_t seed) {
  return (uniform(shape, seed) < 0.4).to(torch::kDouble);
}

// Loss of p under its own name, for tables.
struct Named {
  const char* name;
  at::Tensor (*loss)(const at::Tensor& p, const at::Tensor& y, const at::Tensor& weight);
};

at::Tensor log_odds(const at::Tensor& p) {
  return torch::log(p) - torch::log1p(-p);
}

const Named kLosses[] = {
    {"bce", [](auto& p, auto& y, auto& w) { return bce_loss(log_odds(p), y, w); }},
    {"weighted focal bce",
     [](auto& p, auto& y, auto& w) {
       return bce_loss(log_odds(p), y, w, {.pos_weight = 7.0, .focal_gamma = 2.0});
     }},
    {"dice per image",
     [](auto& p, auto& y, auto& w) { return dice_loss(p, y, w, {.kind = DiceKind::kPerImage}); }},
    {"dice", [](auto& p, auto& y, auto& w) { return dice_loss(p, y, w); }},
    {"dice of nnu-net",
     [](auto& p, auto& y, auto& w) {
       return dice_loss(p, y, w, {.kind = DiceKind::kNnunet, .smooth = 1e-5});
     }},
    {"cldice", [](auto& p, auto& y, auto& w) { return cldice_loss(p, y, w); }},
    {"cbdice", [](auto& p, auto& y, auto& w) { return cbdice_loss(p, y, w); }},
    {"skeleton recall",
     [](auto& p, auto& y, auto& w) {
       return skeleton_recall_loss(p, target_skeleton(y, 10, w), w);
     }},
};

TEST(LossGoldenTest, RegionLossesEqualTheReference) {
  const GoldenCase golden;
  EXPECT_NEAR(value(dice_loss(golden.p, golden.y)), golden.number("/soft_dice_smooth1"), 1e-12);
  EXPECT_NEAR(value(dice_loss(golden.p, golden.y, {}, {.kind = DiceKind::kPerImage})),
              golden.number("/soft_dice_smooth1"),
              1e-12);
  // The reference clamps probabilities of 0 and 1.
  const at::Tensor z = log_odds(golden.p.clamp(1e-12, 1.0 - 1e-12));
  EXPECT_NEAR(value(bce_loss(z, golden.y)), golden.number("/bce_mean"), 1e-6);
}

TEST(LossGoldenTest, SoftClDiceEqualsTheReferenceWithItsGradient) {
  const GoldenCase golden;
  for (const int64_t iterations : {3, 10}) {
    const std::string at = "/soft_cldice_iter" + std::to_string(iterations) + "/";
    const at::Tensor p = golden.p.clone().requires_grad_(true);
    const at::Tensor skeleton = soft_skeleton(p, iterations);
    EXPECT_NEAR(value(skeleton.sum()), golden.number(at + "sum_skel_pred"), 1e-9);
    EXPECT_NEAR(value(soft_skeleton(golden.y, iterations).sum()),
                golden.number(at + "sum_skel_true"),
                1e-9);
    const at::Tensor loss = cldice_loss(p, golden.y, {}, {.iterations = iterations});
    EXPECT_NEAR(value(loss), golden.number(at + "loss"), 1e-12);
    loss.backward();
    EXPECT_NEAR(
        value(p.grad().abs().sum()),
        golden.number("/verified/grad_abs_sum_soft_cldice_iter" + std::to_string(iterations)),
        1e-9);
    if (iterations != 10) continue;
    const auto& row = golden.numbers["verified"]["grad_soft_cldice_iter10_row15_cols14_21"];
    for (size_t i = 0; i < row.size(); ++i) {
      EXPECT_NEAR(
          value(p.grad()[0][0][15][14 + static_cast<int64_t>(i)]), row[i].get<double>(), 1e-9)
          << i;
    }
  }
}

TEST(LossGoldenTest, CbDiceEqualsTheReferenceWithItsGradient) {
  const GoldenCase golden;
  // Distances are float32: 1e-8 instead of double's digits.
  EXPECT_NEAR(
      value(cbdice_loss(golden.p, golden.y)), golden.number("/cbdice_iter10_smooth1/loss"), 1e-8);
  EXPECT_NEAR(value(cbdice_loss(golden.p, golden.y, {}, {.smooth = 1e-3})),
              golden.number("/cbdice_iter10_smooth1e_3/loss"),
              1e-8);
  // Two-channel logits, as in the reference: background 0, foreground ln(p / (1 - p)).
  const at::Tensor z = log_odds(golden.p.clamp(1e-300, 1.0 - 1e-12)).requires_grad_(true);
  const at::Tensor p = foreground_probability(torch::cat({torch::zeros_like(z), z}, 1));
  cbdice_loss(p, golden.y).backward();
  EXPECT_NEAR(value(z.grad().abs().sum()),
              golden.number("/verified/grad_fg_logit_abs_sum_cbdice_smooth1"),
              1e-6);
}

TEST(LossPropertyTest, GradientsEqualFiniteDifferences) {
  const std::vector<int64_t> shape{2, 1, 7, 6};
  const at::Tensor p = 0.05 + 0.9 * uniform(shape, 1);
  const at::Tensor y = random_mask(shape, 2);
  const at::Tensor weight = uniform(shape, 3) * (uniform(shape, 4) < 0.8);
  for (const Named& named : kLosses) {
    for (const at::Tensor& w : {at::Tensor(), weight}) {
      int64_t kinks = 0;
      const double error =
          gradient_error([&](const at::Tensor& x) { return named.loss(x, y, w); }, p, kinks);
      EXPECT_LT(error, 1e-6) << named.name;
      EXPECT_LT(kinks, p.numel() / 8) << named.name;
    }
  }
}

TEST(LossPropertyTest, IgnoredPixelsChangeNeitherValueNorGradient) {
  const std::vector<int64_t> shape{2, 1, 12, 10};
  const at::Tensor p = 0.05 + 0.9 * uniform(shape, 11);
  const at::Tensor y = random_mask(shape, 12);
  const at::Tensor weight = (uniform(shape, 13) < 0.7).to(torch::kDouble);
  const at::Tensor ignored = weight == 0;
  const at::Tensor other_p = torch::where(ignored, 0.05 + 0.9 * uniform(shape, 14), p);
  const at::Tensor other_y = torch::where(ignored, 1.0 - y, y);
  for (const Named& named : kLosses) {
    const at::Tensor leaf = p.clone().requires_grad_(true);
    const at::Tensor loss = named.loss(leaf, y, weight);
    loss.backward();
    EXPECT_EQ(value(loss), value(named.loss(other_p, other_y, weight))) << named.name;
    EXPECT_EQ(value(leaf.grad().masked_select(ignored).abs().sum()), 0.0) << named.name;
  }
}

// What is ignored lies outside the image: padding a batch must not change its loss.
TEST(LossPropertyTest, IgnoredPaddingIsNoPartOfTheImage) {
  const at::Tensor p = 0.05 + 0.9 * uniform({1, 1, 9, 11}, 21), y = random_mask({1, 1, 9, 11}, 22);
  const auto pad = [](const at::Tensor& x, double fill) {
    return torch::constant_pad_nd(x, {0, 5, 0, 3}, fill);
  };
  const at::Tensor weight = pad(torch::ones_like(p), 0.0);
  for (const Named& named : kLosses) {
    EXPECT_NEAR(
        value(named.loss(pad(p, 0.5), pad(y, 1.0), weight)), value(named.loss(p, y, {})), 1e-12)
        << named.name;
  }
}

TEST(LossPropertyTest, UnitWeightsChangeNothing) {
  const at::Tensor p = 0.05 + 0.9 * uniform({2, 1, 8, 8}, 31), y = random_mask({2, 1, 8, 8}, 32);
  for (const Named& named : kLosses) {
    EXPECT_NEAR(value(named.loss(p, y, torch::ones_like(p))), value(named.loss(p, y, {})), 1e-12)
        << named.name;
  }
}

TEST(LossPropertyTest, FlippingTheImageChangesNothing) {
  const at::Tensor p = 0.05 + 0.9 * uniform({1, 1, 9, 8}, 41), y = random_mask({1, 1, 9, 8}, 42);
  for (const Named& named : kLosses) {
    EXPECT_NEAR(
        value(named.loss(p.flip({2, 3}), y.flip({2, 3}), {})), value(named.loss(p, y, {})), 1e-12)
        << named.name;
  }
}

TEST(LossPropertyTest, EverythingIgnoredIsNoLossAndNoNan) {
  const at::Tensor nothing = torch::zeros({1, 1, 6, 6}, torch::kDouble);
  const at::Tensor nan = torch::full_like(nothing, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(value(bce_loss(nan, nothing, nothing)), 0.0);
  EXPECT_EQ(value(dice_loss(nan, nothing, nothing)), 0.0);
  EXPECT_EQ(value(cldice_loss(nan, nothing, nothing)), 0.0);
  EXPECT_EQ(value(cbdice_loss(nan, nothing, nothing)), -1.0);
}

TEST(LossTest, BceIsSteadyForLargeLogits) {
  const at::Tensor z = torch::tensor({-500.0, 500.0, 500.0}).view({1, 1, 1, 3});
  const at::Tensor y = torch::tensor({0.0, 1.0, 0.0}).view({1, 1, 1, 3});
  EXPECT_NEAR(value(bce_loss(z, y)), 500.0 / 3.0, 1e-4);
  EXPECT_NEAR(value(bce_loss(z, 1.0 - y, {}, {.pos_weight = 2.0})), (1000.0 + 500.0) / 3.0, 1e-3);
}

TEST(LossTest, NnunetDiceIsMinusOneWhenRight) {
  const at::Tensor y = random_mask({2, 1, 5, 5}, 5);
  EXPECT_NEAR(value(dice_loss(y, y, {}, {.kind = DiceKind::kNnunet, .smooth = 1e-5})), -1.0, 1e-12);
  EXPECT_EQ(value(dice_loss(0 * y, 0 * y, {}, {.kind = DiceKind::kNnunet, .smooth = 0.0})), 0.0);
}

TEST(LossTest, HalfPrecisionAndAutocastAreComputedInFull) {
  const at::Tensor z = torch::linspace(-9.0, 9.0, 64).view({1, 1, 8, 8}).to(torch::kBFloat16);
  const at::Tensor y = (z > 1.0);
  const double expected = value(bce_loss(z.to(torch::kFloat), y));
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const at::Tensor loss = bce_loss(z, y);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  EXPECT_EQ(loss.scalar_type(), torch::kFloat);
  EXPECT_EQ(value(loss), expected);
}

TEST(LossTest, NamesShapesThatDoNotFit) {
  const at::Tensor p = torch::rand({1, 1, 4, 4});
  EXPECT_THAT(
      [&] {
        (void)dice_loss(p, torch::zeros({1, 1, 4, 5}));
      },
      ThrowsMessage<Error>(HasSubstr("dice loss: target must have the prediction's shape "
                                     "[1, 1, 4, 4], got [1, 1, 4, 5]")));
  EXPECT_THAT(
      [&] {
        (void)bce_loss(p, p, torch::ones({2, 1, 4, 4}));
      },
      ThrowsMessage<Error>(HasSubstr("bce loss: weight must have")));
}

TEST(ForegroundProbabilityTest, IsSoftmaxOfBackgroundAndTheBestObject) {
  const at::Tensor z = uniform({2, 4, 3, 3}, 6) * 6.0 - 3.0;
  const at::Tensor two = torch::cat({z.narrow(1, 0, 1), z.narrow(1, 1, 3).amax(1, true)}, 1);
  EXPECT_TRUE(torch::allclose(foreground_probability(z), two.softmax(1).narrow(1, 1, 1)));
  EXPECT_TRUE(torch::allclose(sharp_sigmoid(z, 10.0), (10.0 * z).sigmoid()));
}

// The width study of the specification: even widths keep two pixels, ends draw back.
TEST(SoftSkeletonTest, BarsLeaveAsManyPixelsAsInTheReference) {
  const double expected[] = {24, 48, 22, 44, 20, 40};
  for (int64_t width = 1; width <= 6; ++width) {
    at::Tensor bar = torch::zeros({1, 1, 20, 40}, torch::kDouble);
    bar.narrow(2, 7, width).narrow(3, 8, 24).fill_(1.0);
    EXPECT_EQ(value(soft_skeleton(bar, 10).sum()), expected[width - 1]) << width;
  }
}

TEST(SoftSkeletonTest, WiresThatTouchTheBorderKeepTheirLength) {
  at::Tensor wire = torch::zeros({1, 1, 8, 8});
  wire.select(2, 4).fill_(1.0);
  EXPECT_TRUE(torch::equal(soft_skeleton(wire, 3), wire));
}

TEST(SkeletonRecallTest, TargetSkeletonStaysInsideTheTarget) {
  const GoldenCase golden;
  const at::Tensor skeleton = target_skeleton(golden.y);
  EXPECT_EQ(value((skeleton * (1.0 - golden.y)).sum()), 0.0);
  EXPECT_GT(value(skeleton.sum()), 42.0);
  EXPECT_NEAR(value(skeleton_recall_loss(golden.y, skeleton)), 0.0, 1e-12);
  const at::Tensor half = golden.p;
  const double hit = value((skeleton * half).sum()), all = value(skeleton.sum());
  EXPECT_NEAR(value(skeleton_recall_loss(half, skeleton)), 1.0 - (hit + 1.0) / (all + 1.0), 1e-12);
}

}  // namespace
}  // namespace voxloom::nn
