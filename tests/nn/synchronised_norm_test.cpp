// Ranks are threads here; what they add up meets in memory.
#include "voxloom/nn/synchronised_norm.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/batch_norm.h"
#include "voxloom/nn/seq.h"

#include "shared_sum.h"

namespace voxloom::nn {
namespace {

struct Result {
  at::Tensor y, dx, dweight, dbias, mean, var;
};

Result run(BatchNorm2d norm, const at::Tensor& image, const at::Tensor& direction) {
  const at::Tensor x = image.clone().set_requires_grad(true);
  const at::Tensor y = norm->forward(x);
  (y * direction).sum().backward();
  return {y.detach(),
          x.grad(),
          norm->weight.grad(),
          norm->bias.grad(),
          norm->running_mean,
          norm->running_var};
}

BatchNorm2d make_norm(int64_t channels, const at::Generator& random) {
  BatchNorm2d norm(channels);
  const torch::NoGradGuard no_grad;
  norm->weight.copy_(at::rand({channels}, random) + 0.5);
  norm->bias.copy_(at::randn({channels}, random));
  return norm;
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// Ranks with `shares` images each against one with all of them.
void compare(const std::vector<int64_t>& shares, double offset) {
  const auto random = at::make_generator<at::CPUGeneratorImpl>(11);
  constexpr int64_t kChannels = 5;
  int64_t total = 0;
  for (const int64_t share : shares) total += share;
  const at::Tensor x = at::randn({total, kChannels, 7, 6}, random) * 2.0 + offset;
  const at::Tensor direction = at::randn(x.sizes(), random);
  const BatchNorm2d whole = make_norm(kChannels, random);
  std::vector<BatchNorm2d> norms;
  SharedSum sums(shares.size());
  for (size_t r = 0; r < shares.size(); ++r) {
    BatchNorm2d norm(kChannels);
    const torch::NoGradGuard no_grad;
    norm->weight.copy_(whole->weight);
    norm->bias.copy_(whole->bias);
    norm->sum_over_ranks = sums.of(r);
    norms.push_back(norm);
  }
  const Result expected = run(whole, x, direction);
  std::vector<Result> got(shares.size());
  std::vector<std::thread> threads;
  int64_t first = 0;
  for (size_t r = 0; r < shares.size(); ++r) {
    threads.emplace_back([&, r, first] {
      got[r] = run(norms[r], x.narrow(0, first, shares[r]), direction.narrow(0, first, shares[r]));
    });
    first += shares[r];
  }
  for (auto& thread : threads) thread.join();

  std::vector<at::Tensor> y, dx;
  at::Tensor dweight = at::zeros({kChannels}), dbias = at::zeros({kChannels});
  for (const Result& one : got) {
    y.push_back(one.y);
    dx.push_back(one.dx);
    dweight += one.dweight;
    dbias += one.dbias;
    EXPECT_LT(distance(one.mean, expected.mean), 1e-6 * (1.0 + std::abs(offset)));
    EXPECT_LT(distance(one.var, expected.var), 1e-5);
  }
  // Both round differently, in float32, about values of size 1 (dweight, dbias: sums of hundreds).
  const double scale = 1.0 + std::abs(offset);
  EXPECT_LT(distance(at::cat(y), expected.y), 2e-6 * scale);
  EXPECT_LT(distance(at::cat(dx), expected.dx), 2e-6 * scale);
  EXPECT_LT(distance(dweight, expected.dweight), 2e-5 * scale);
  EXPECT_LT(distance(dbias, expected.dbias), 2e-5);
}

TEST(SynchronisedNormTest, TwoRanksEqualOneWithTheWholeBatch) {
  compare({2, 2}, 0.0);
}

TEST(SynchronisedNormTest, SharesMayDiffer) {
  compare({1, 3, 2}, 0.0);
}

TEST(SynchronisedNormTest, ALargeMeanCostsNoDigits) {
  compare({2, 2}, 50.0);
}

TEST(SynchronisedNormTest, HalfPrecisionStaysAndStatisticsAreWhole) {
  BatchNorm2d norm(3);
  int calls = 0;
  norm->sum_over_ranks = [&](const at::Tensor& sums) {
    EXPECT_EQ(sums.scalar_type(), at::kDouble);
    ++calls;
  };
  const at::Tensor x = at::rand({2, 3, 4, 4}).to(at::kBFloat16).set_requires_grad(true);
  const at::Tensor y = norm->forward(x);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  y.sum().backward();
  EXPECT_EQ(x.grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(norm->weight.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(norm->num_batches_tracked.item<int64_t>(), 1);
  norm->eval();
  static_cast<void>(norm->forward(x));
  EXPECT_EQ(calls, 2);
}

TEST(SynchronisedNormTest, EveryNormOfANetworkIsSetAndOtherKindsAreRefused) {
  torch::nn::Sequential network(BatchNorm2d(2), Seq(BatchNorm2d(2)));
  int calls = 0;
  synchronise_batch_norms(*network, [&](const at::Tensor&) { ++calls; });
  static_cast<void>(network->forward(at::rand({1, 2, 3, 3})));
  EXPECT_EQ(calls, 2);
  synchronise_batch_norms(*network, {});
  static_cast<void>(network->forward(at::rand({1, 2, 3, 3})));
  EXPECT_EQ(calls, 2);
  torch::nn::Sequential other(torch::nn::BatchNorm2d(2));
  EXPECT_THROW(synchronise_batch_norms(*other, {}), Error);
}

}  // namespace
}  // namespace voxloom::nn
