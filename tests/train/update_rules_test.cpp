#include <cmath>
#include <functional>
#include <memory>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/train/averaged_weights.h"
#include "voxloom/train/grad_scaler.h"
#include "voxloom/train/gradients.h"
#include "voxloom/train/optimiser.h"

namespace voxloom::train {
namespace {

torch::nn::Sequential make_network() {
  torch::manual_seed(3);
  return torch::nn::Sequential(torch::nn::Linear(7, 5), torch::nn::Tanh(), torch::nn::Linear(5, 1));
}

/// Twelve steps of both on the same data, from the same weights: the largest difference.
double difference_to(
    const TrainerOptions& options,
    const std::function<std::unique_ptr<torch::optim::Optimizer>(std::vector<at::Tensor>)>&
        make_reference) {
  torch::nn::Sequential own = make_network(), theirs = make_network();
  Optimiser optimiser(options, *own, {ParameterGroup{.parameters = own->parameters()}});
  const auto reference = make_reference(theirs->parameters());
  for (int i = 0; i < 12; ++i) {
    torch::manual_seed(100 + i);
    const at::Tensor x = torch::randn({9, 7}), y = torch::randn({9, 1});
    torch::mse_loss(own->forward(x), y).backward();
    optimiser.step(options.lr);
    optimiser.clear_gradients();
    reference->zero_grad();
    torch::mse_loss(theirs->forward(x), y).backward();
    reference->step();
  }
  double largest = 0;
  for (size_t i = 0; i < own->parameters().size(); ++i) {
    const at::Tensor moved = own->parameters()[i] - make_network()->parameters()[i];
    EXPECT_GT(moved.abs().max().item<double>(), 1e-3);  // the steps did something
    largest = std::max(largest,
                       (own->parameters()[i] - theirs->parameters()[i]).abs().max().item<double>());
  }
  return largest;
}

TEST(OptimiserTest, AdamWStepsAsTorchDoes) {
  TrainerOptions options;
  options.lr = 0.01;
  options.weight_decay = 0.05;
  EXPECT_LT(difference_to(options,
                          [](std::vector<at::Tensor> parameters) {
                            return std::make_unique<torch::optim::AdamW>(
                                std::move(parameters),
                                torch::optim::AdamWOptions(0.01).weight_decay(0.05));
                          }),
            1e-6);
}

TEST(OptimiserTest, SgdStepsAsTorchDoes) {
  TrainerOptions options;
  options.optimiser = OptimiserKind::kSgd;
  options.lr = 0.02;
  options.weight_decay = 0.01;
  EXPECT_LT(
      difference_to(
          options,
          [](std::vector<at::Tensor> parameters) {
            return std::make_unique<torch::optim::SGD>(
                std::move(parameters),
                torch::optim::SGDOptions(0.02).momentum(0.9).nesterov(true).weight_decay(0.01));
          }),
      1e-6);
}

TEST(OptimiserTest, RmspropStepsAsTorchDoes) {
  TrainerOptions options;
  options.optimiser = OptimiserKind::kRmsprop;
  options.lr = 0.002;
  options.weight_decay = 0.01;
  EXPECT_LT(
      difference_to(options,
                    [](std::vector<at::Tensor> parameters) {
                      return std::make_unique<torch::optim::RMSprop>(
                          std::move(parameters),
                          torch::optim::RMSpropOptions(0.002).momentum(0.9).weight_decay(0.01));
                    }),
      1e-6);
}

TEST(OptimiserTest, SgdWithoutMomentumIsPlainDescent) {
  TrainerOptions options;
  options.optimiser = OptimiserKind::kSgd;
  options.momentum = 0;
  options.weight_decay = 0;
  torch::nn::Linear network(3, 1);
  const at::Tensor before = network->weight.detach().clone();
  Optimiser optimiser(options, *network, {ParameterGroup{.parameters = network->parameters()}});
  network->forward(torch::ones({1, 3})).sum().backward();
  optimiser.step(0.5);
  EXPECT_TRUE(torch::allclose(network->weight, before - 0.5));
}

TEST(OptimiserTest, GroupsScaleRateAndDecayAndParametersWithoutGradientStay) {
  TrainerOptions options;
  options.optimiser = OptimiserKind::kSgd;
  options.momentum = 0;
  options.weight_decay = 0.1;
  torch::nn::Linear network(2, 1);
  const at::Tensor weight = network->weight.detach().clone(), bias = network->bias.detach().clone();
  Optimiser optimiser(
      options,
      *network,
      {ParameterGroup{{network->weight}, 0.5, 0.0}, ParameterGroup{{network->bias}, 1.0, 2.0}});
  network->weight.sum().backward();
  optimiser.step(1.0);
  EXPECT_TRUE(torch::allclose(network->weight, weight - 0.5));  // no decay, half the rate
  EXPECT_TRUE(torch::equal(network->bias, bias));
  optimiser.clear_gradients();
  network->bias.sum().backward();
  optimiser.step(1.0);
  EXPECT_TRUE(torch::allclose(network->bias, bias - 1.0 - 0.2 * bias));
}

TEST(OptimiserTest, AParameterInTwoGroupsIsRefused) {
  torch::nn::Linear network(2, 1);
  try {
    const Optimiser optimiser(TrainerOptions{},
                              *network,
                              {ParameterGroup{.parameters = network->parameters()},
                               ParameterGroup{.parameters = {network->bias}}});
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "optimiser: a parameter must be in one group, got 'bias' twice");
  }
}

TEST(GradScalerTest, HalvesOnOverflowAndDoublesAfterTwoThousandGoodSteps) {
  GradScaler scaler(true);
  EXPECT_EQ(scaler.scale(), 65536.0);
  scaler.update(false);
  EXPECT_EQ(scaler.scale(), 32768.0);
  for (int i = 0; i < 1999; ++i) scaler.update(true);
  EXPECT_EQ(scaler.scale(), 32768.0);
  scaler.update(true);
  EXPECT_EQ(scaler.scale(), 65536.0);
  scaler.update(true);
  EXPECT_EQ(scaler.good_steps(), 1);
}

TEST(GradScalerTest, CannotShrinkBelowOne) {
  GradScaler scaler(true);
  int halvings = 0;
  for (; scaler.can_shrink(); ++halvings) scaler.update(false);
  EXPECT_EQ(halvings, 16);
  EXPECT_EQ(scaler.scale(), 1.0);
}

TEST(GradScalerTest, OffIsAlwaysOne) {
  GradScaler scaler(false);
  scaler.update(false);
  EXPECT_EQ(scaler.scale(), 1.0);
  EXPECT_FALSE(scaler.can_shrink());
}

TEST(AveragedWeightsTest, FollowsTheClosedForm) {
  torch::nn::BatchNorm1d network(2);
  AveragedWeights averaged(*network, 0.9);
  double expected = 1.0;  // the weight's start
  for (int x = 1; x <= 5; ++x) {
    {
      const torch::NoGradGuard no_grad;
      network->weight.fill_(static_cast<double>(x));
      network->num_batches_tracked.fill_(x);
    }
    averaged.update();
    const double d = 0.9 * (1 - std::exp(-x / 2000.0));
    expected = d * expected + (1 - d) * x;
  }
  averaged.swap();
  EXPECT_NEAR(network->weight[0].item<double>(), expected, 1e-6);
  EXPECT_EQ(network->num_batches_tracked.item<int64_t>(), 5);
  averaged.swap();
  EXPECT_EQ(network->weight[0].item<double>(), 5.0);
}

TEST(AveragedWeightsTest, LongRunsReachTheFullDecay) {
  EXPECT_NEAR(AveragedWeights::decay_at(0.999, 2000), 0.999 * (1 - std::exp(-1.0)), 1e-12);
  EXPECT_NEAR(AveragedWeights::decay_at(0.999, 1000000), 0.999, 1e-12);
}

TEST(GradientsTest, NormIsOverAllTensorsAndShowsWhatIsNotFinite) {
  std::vector<at::Tensor> gradients{torch::full({4}, 3.0), torch::full({4}, 4.0)};
  EXPECT_NEAR(gradient_norm(gradients), 10.0, 1e-6);
  scale_gradients(gradients, 0.5);
  EXPECT_NEAR(gradient_norm(gradients), 5.0, 1e-6);
  gradients[1][2] = INFINITY;
  EXPECT_FALSE(std::isfinite(gradient_norm(gradients)));
}

}  // namespace
}  // namespace voxloom::train
