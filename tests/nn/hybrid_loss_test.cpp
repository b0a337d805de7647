#include "voxloom/nn/hybrid_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/topology_losses.h"

#include "golden_case.h"

namespace voxloom::nn {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr TopologyTerm kAll[] = {TopologyTerm::kNone,
                                 TopologyTerm::kClDice,
                                 TopologyTerm::kClDiceCbDice,
                                 TopologyTerm::kSkeletonRecall};

double sum(const HybridWeights& w) {
  return w.bce + w.dice + w.topology();
}

TEST(HybridScheduleTest, WeightsSumToOneAndMoveOneWay) {
  for (const TopologyTerm topology : kAll) {
    const HybridOptions options{.topology = topology, .sharpness = 10.0};
    HybridWeights before = hybrid_weights(options, 0.0);
    for (int step = 0; step <= 1000; ++step) {
      const HybridWeights now = hybrid_weights(options, step / 1000.0);
      EXPECT_NEAR(sum(now), 1.0, 1e-12);
      EXPECT_LE(now.bce, before.bce);
      EXPECT_LE(now.dice, before.dice);
      EXPECT_GE(now.topology(), before.topology());
      EXPECT_GE(now.iterations, before.iterations);
      EXPECT_GE(now.sharpness, before.sharpness);
      before = now;
    }
  }
}

TEST(HybridScheduleTest, HasTheValuesOfTheRecipe) {
  const HybridOptions options;
  const HybridWeights early = hybrid_weights(options, 0.3);
  EXPECT_EQ(early.bce, 0.5);
  EXPECT_EQ(early.topology(), 0.0);
  EXPECT_EQ(early.iterations, 3);
  const HybridWeights middle = hybrid_weights(options, 0.5);
  EXPECT_NEAR(middle.bce, 0.375, 1e-12);
  EXPECT_NEAR(middle.dice, 0.45, 1e-12);
  EXPECT_NEAR(middle.cldice, 0.175, 1e-12);
  EXPECT_EQ(middle.iterations, 4);
  const HybridWeights late = hybrid_weights({.topology = TopologyTerm::kClDiceCbDice}, 0.9);
  EXPECT_NEAR(late.bce, 0.25, 1e-12);
  EXPECT_NEAR(late.dice, 0.4, 1e-12);
  EXPECT_NEAR(late.cldice, 0.2, 1e-12);
  EXPECT_NEAR(late.cbdice, 0.15, 1e-12);
  EXPECT_EQ(late.iterations, 5);
}

TEST(HybridScheduleTest, RefusesARampThatRunsBackwards) {
  EXPECT_THAT([] { (void)hybrid_weights({.ramp_begin = 0.8, .ramp_end = 0.2}, 0.5); },
              ThrowsMessage<Error>(HasSubstr("ramp must begin before it ends")));
}

class HybridLossTest : public testing::Test {
 protected:
  const GoldenCase golden_;
  const at::Tensor z_ = torch::logit(golden_.p, 1e-6);

  [[nodiscard]] std::vector<std::string> names(const HybridLoss& loss) const {
    std::vector<std::string> names;
    for (const LossTerm& term : loss.terms) names.push_back(term.name);
    return names;
  }
};

TEST_F(HybridLossTest, TotalIsTheWeightedSumOfItsNamedTerms) {
  const std::vector<at::Tensor> logits{z_, torch::avg_pool2d(z_, 2), torch::avg_pool2d(z_, 4)};
  for (const TopologyTerm topology : kAll) {
    const HybridLoss loss =
        hybrid_loss(logits, golden_.y, {}, {.topology = topology, .sharpness = 4.0}, 1.0);
    double total = 0.0;
    for (const LossTerm& term : loss.terms) {
      total += term.weight * term.value.item<double>();
      EXPECT_FALSE(term.value.requires_grad());
    }
    EXPECT_NEAR(loss.total.item<double>(), total, 1e-12);
    EXPECT_FALSE(loss.guarded);
    EXPECT_EQ(loss.terms.back().name, "heads");
  }
}

TEST_F(HybridLossTest, EarlyItIsBceAndDiceAlone) {
  const HybridLoss loss = hybrid_loss({z_}, golden_.y, {}, {}, 0.1);
  EXPECT_THAT(names(loss), testing::ElementsAre("bce", "dice"));
  const at::Tensor expected =
      0.5 * bce_loss(z_, golden_.y) + 0.5 * dice_loss(z_.sigmoid(), golden_.y);
  EXPECT_NEAR(loss.total.item<double>(), expected.item<double>(), 1e-12);
}

TEST_F(HybridLossTest, TheSkeletonOfNoiseIsLeftOut) {
  const HybridLoss loss = hybrid_loss({torch::full_like(z_, -6.0)}, golden_.y, {}, {}, 1.0);
  EXPECT_TRUE(loss.guarded);
  EXPECT_THAT(names(loss), testing::ElementsAre("bce", "dice"));
}

TEST_F(HybridLossTest, AKnownSkeletonGivesTheSameLoss) {
  const HybridOptions options{.topology = TopologyTerm::kSkeletonRecall};
  const at::Tensor made = hybrid_loss({z_}, golden_.y, {}, options, 1.0).total;
  const at::Tensor given =
      hybrid_loss({z_}, golden_.y, {}, options, 1.0, target_skeleton(golden_.y)).total;
  EXPECT_EQ(made.item<double>(), given.item<double>());
}

// A wire of one pixel is still there in the coarsest head's target.
TEST_F(HybridLossTest, HeadsSeeThinObjects) {
  at::Tensor y = torch::zeros({1, 1, 32, 32});
  y.select(3, 5).fill_(1.0);
  at::Tensor coarse = torch::full({1, 1, 4, 4}, -20.0);
  coarse.select(3, 0).fill_(20.0);
  const at::Tensor fine = 40.0 * y - 20.0;
  const HybridLoss right = hybrid_loss({fine, coarse}, y, {}, {}, 0.0);
  EXPECT_LT(right.total.item<double>(), 1e-6);
  const HybridLoss wrong = hybrid_loss({fine, torch::full_like(coarse, -20.0)}, y, {}, {}, 0.0);
  EXPECT_GT(wrong.total.item<double>(), 0.1);
}

TEST_F(HybridLossTest, OptionsAreReadByName) {
  HybridOptions options;
  OptionList list;
  options.visit(list);
  list.read_json({{"topology", "skeleton-recall"}, {"dice", "image"}, {"ramp_end", 0.5}}, "loss");
  EXPECT_EQ(options.topology, TopologyTerm::kSkeletonRecall);
  EXPECT_EQ(options.dice, DiceKind::kPerImage);
  EXPECT_EQ(options.ramp_end, 0.5);
}

TEST_F(HybridLossTest, HeadsMustDivideTheTarget) {
  EXPECT_THAT(
      [&] {
        (void)hybrid_loss({z_, torch::zeros({1, 1, 5, 5})}, golden_.y, {}, {}, 0.0);
      },
      ThrowsMessage<Error>(HasSubstr("head 1 must be the target [1, 1, 32, 32] divided")));
}

}  // namespace
}  // namespace voxloom::nn
