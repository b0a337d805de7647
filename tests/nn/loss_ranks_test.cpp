// Losses of a batch that lies on several ranks, which are threads here.
#include "voxloom/nn/loss_ranks.h"

#include <functional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/nn/hybrid_loss.h"
#include "voxloom/nn/topology_losses.h"

#include "shared_sum.h"

namespace voxloom::nn {
namespace {

using Loss =
    std::function<at::Tensor(const at::Tensor& z, const at::Tensor& y, const at::Tensor& w)>;

/// Two ranks with an image each, of which one holds nearly all of the object, against one process.
void compare(const Loss& loss) {
  const auto random = at::make_generator<at::CPUGeneratorImpl>(3);
  constexpr int64_t kSide = 24;
  at::Tensor y = at::zeros({2, 1, kSide, kSide});
  y.slice(2, 4, 20).slice(3, 10, 13).fill_(1.0);
  y[1].mul_(0.0);
  y[1][0][5][5] = 1.0;
  at::Tensor weight = at::ones_like(y);
  weight[1].slice(1, 0, 9).zero_();
  const at::Tensor values = at::randn(y.sizes(), random) + 2.0 * y;

  const at::Tensor z = values.clone().set_requires_grad(true);
  const at::Tensor whole = loss(z, y, weight);
  whole.backward();

  SharedSum sums(2);
  std::vector<at::Tensor> losses(2), gradients(2);
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      const auto i = static_cast<size_t>(rank);
      const SumOverRanks sum = sums.of(i);
      const at::Tensor own = values.narrow(0, rank, 1).clone().set_requires_grad(true);
      {
        const LossesOverRanks over(sum);
        losses[i] = loss(own, y.narrow(0, rank, 1), weight.narrow(0, rank, 1));
      }
      losses[i].backward();
      // The trainer takes the mean over ranks.
      gradients[i] = own.grad() / 2.0;
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& one : losses) EXPECT_NEAR(one.item<double>(), whole.item<double>(), 1e-6);
  const at::Tensor difference = at::cat(gradients) - z.grad();
  EXPECT_LT(difference.abs().max().item<double>(),
            1e-7 + 1e-5 * z.grad().abs().max().item<double>());
}

TEST(LossRanksTest, DiceOfTheBatch) {
  compare([](const auto& z, const auto& y, const auto& w) { return dice_loss(z.sigmoid(), y, w); });
}

TEST(LossRanksTest, DiceAsNnunetTakesIt) {
  compare([](const auto& z, const auto& y, const auto& w) {
    return dice_loss(z.sigmoid(), y, w, {.kind = DiceKind::kNnunet, .smooth = 1e-5});
  });
}

TEST(LossRanksTest, CrossEntropyWhereRanksHaveUnequalWeights) {
  compare([](const auto& z, const auto& y, const auto& w) { return bce_loss(z, y, w); });
}

TEST(LossRanksTest, TheWholeHybridWithItsTopologyTerm) {
  for (const auto topology : {TopologyTerm::kClDiceCbDice, TopologyTerm::kSkeletonRecall}) {
    compare([=](const auto& z, const auto& y, const auto& w) {
      const auto loss = hybrid_loss({z}, y, w, {.topology = topology, .min_dice = 0.05}, 0.9);
      EXPECT_FALSE(loss.guarded);
      return loss.total;
    });
  }
}

TEST(LossRanksTest, OutsideOfTheScopeAProcessIsAlone) {
  int calls = 0;
  const SumOverRanks sum = [&](const at::Tensor&) { ++calls; };
  const at::Tensor p = at::full({1, 1, 4, 4}, 0.5), y = at::ones({1, 1, 4, 4});
  {
    const LossesOverRanks over(sum);
    static_cast<void>(dice_loss(p, y));
    const LossesOverRanks alone{SumOverRanks()};
    static_cast<void>(dice_loss(p, y));
  }
  static_cast<void>(dice_loss(p, y));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace voxloom::nn
