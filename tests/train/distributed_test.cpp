// Meeting, collectives, buckets of gradients, joint reports.
#include <cmath>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/train/distributed/communicator.h"
#include "voxloom/train/distributed/gradient_buckets.h"
#include "voxloom/train/distributed/meeting.h"
#include "voxloom/train/distributed/step_report.h"

#include "ranks_in_threads.h"

namespace voxloom::train {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(CommunicatorTest, SumsGathersAndBroadcasts) {
  std::vector<std::vector<std::string>> gathered(3);
  const auto errors = run_ranks({.size = 3}, [&](Communicator& ranks) {
    const auto own = static_cast<double>(ranks.rank());
    const at::Tensor now = at::full({5}, own);
    const at::Tensor later = at::full({100000}, own + 1.0);
    const auto pending = ranks.start_sum(later);
    ranks.sum(now);
    pending->wait();
    EXPECT_TRUE(now.eq(3.0).all().item<bool>());
    EXPECT_TRUE(later.eq(6.0).all().item<bool>());
    // Longer than a block on one rank only.
    const std::string text(ranks.rank() == 1 ? 5000 : 3, static_cast<char>('a' + ranks.rank()));
    gathered[static_cast<size_t>(ranks.rank())] = ranks.gather(text);
    EXPECT_EQ(broadcast_text(ranks, ranks.rank() == 0 ? "from 0" : "not this"), "from 0");
    EXPECT_EQ(broadcast_text(ranks, ""), "");
    const at::Tensor number = at::full({2, 3}, own), flag = at::full({}, ranks.rank() == 0);
    broadcast_tensors(ranks, {{"number", number}, {"flag", flag}});
    EXPECT_TRUE(number.eq(0.0).all().item<bool>());
    EXPECT_TRUE(flag.item<bool>());
    check_same_tensors(ranks, {{"number", number}});
  });
  EXPECT_THAT(errors, Each(""));
  for (const auto& texts : gathered) {
    EXPECT_THAT(texts, ElementsAre("aaa", std::string(5000, 'b'), "ccc"));
  }
}

TEST(CommunicatorTest, ParametersThatDifferInOneBitAreFound) {
  const auto errors = run_ranks({}, [&](Communicator& ranks) {
    const float value = ranks.rank() == 1 ? std::nextafter(1.0F, 2.0F) : 1.0F;
    check_same_tensors(ranks, {{"w", at::full({3}, value)}});
  });
  EXPECT_THAT(errors, Each(HasSubstr("bit for bit, got others at rank 1 than at rank 0")));
}

TEST(CommunicatorTest, ARankThatIsMissingIsNamed) {
  const auto errors = run_ranks({.size = 3, .missing = 1, .options = {.join_timeout_s = 1.0}},
                                [](Communicator&) { FAIL(); });
  EXPECT_THAT(errors[0], HasSubstr("all 3 ranks must come to 127.0.0.1:"));
  EXPECT_THAT(errors[0], HasSubstr("within 1 s, got 2; missing: rank 1"));
  EXPECT_THAT(errors[2], HasSubstr("distributed: "));
}

TEST(CommunicatorTest, WithoutRankZeroThereIsNoMeeting) {
  const auto errors = run_ranks({.size = 2, .missing = 0, .options = {.join_timeout_s = 1.0}},
                                [](Communicator&) { FAIL(); });
  EXPECT_THAT(errors[1], HasSubstr("rank 0 must answer at 127.0.0.1:"));
}

TEST(CommunicatorTest, APortThatIsTakenIsSaid) {
  const HeldPort held;
  const auto errors = run_ranks({.size = 2,
                                 .missing = 1,
                                 .options = {.join_timeout_s = 1.0},
                                 .settings = {},
                                 .port = held.port()},
                                [](Communicator&) { FAIL(); });
  EXPECT_THAT(errors[0],
              HasSubstr(format("port {} must be free on rank 0's machine", held.port())));
}

TEST(CommunicatorTest, OptionsThatDifferAreListedOnAllRanks) {
  const auto errors =
      run_ranks({.size = 2,
                 .missing = -1,
                 .options = {.join_timeout_s = 60.0},
                 .settings = {{{"lr", 0.1}, {"seed", 1}}, {{"lr", 0.2}, {"seed", 1}}}},
                [](Communicator&) { FAIL(); });
  EXPECT_THAT(errors,
              Each("distributed: all ranks must run with the same options, got lr is 0.1 at rank 0 "
                   "and 0.2 at rank 1"));
}

TEST(CommunicatorTest, AnErrorOnOneRankEndsTheOtherWithItsWords) {
  const auto errors = run_ranks({}, [](Communicator& ranks) {
    if (ranks.rank() == 1) throw Error(ErrorCode::kDataCorrupt, "image 'a' is cut");
    ranks.sum(at::zeros({1}));
  });
  EXPECT_EQ(errors[1], "image 'a' is cut");
  EXPECT_EQ(errors[0], "distributed: rank 1 stopped: image 'a' is cut");
}

TEST(CommunicatorTest, SettingsMayLackKeys) {
  EXPECT_EQ(setting_differences({{{"a", 1}}, {{"a", 1}}}), "");
  EXPECT_EQ(setting_differences({{{"a", 1}}, {{"b", 2}}}),
            "a is 1 at rank 0 and missing at rank 1; b is missing at rank 0 and 2 at rank 1");
}

/// A communicator of one rank that remembers in which order sums were asked for.
class Alone final : public Communicator {
 public:
  [[nodiscard]] int64_t rank() const override { return 0; }
  [[nodiscard]] int64_t size() const override { return 1; }
  [[nodiscard]] std::unique_ptr<PendingSum> start_sum(const at::Tensor& tensor) override {
    struct Done final : PendingSum {
      void wait() override {}
    };
    sizes.push_back(tensor.numel());
    return std::make_unique<Done>();
  }
  void sum(const at::Tensor& /*tensor*/) override {}
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) override { return {text}; }
  void broadcast(const at::Tensor& /*bytes*/) override {}
  void leave_with(const std::string& /*error*/) noexcept override {}
  std::vector<int64_t> sizes;
};

TEST(GradientBucketsTest, BucketsGoFromTheLastParameterToTheFirst) {
  const auto f = [](int64_t n) { return at::zeros({n}); };
  const std::vector<at::Tensor> parameters{f(10), f(1), f(50), f(2), f(3)};
  // 4 bytes a number: the first bucket holds 24, the others 64.
  const auto plan = plan_buckets(parameters, {.first_bytes = 24, .bytes = 64});
  ASSERT_EQ(plan.size(), 3U);
  EXPECT_THAT(plan[0], ElementsAre(4U, 3U));
  EXPECT_THAT(plan[1], ElementsAre(2U));  // larger than a bucket: alone
  EXPECT_THAT(plan[2], ElementsAre(1U, 0U));
  const auto mixed = plan_buckets({f(1), at::zeros({1}, at::kDouble), f(1)}, {});
  EXPECT_EQ(mixed.size(), 3U);
}

TEST(GradientBucketsTest, SumsStartWhileTheBackwardPassRuns) {
  const auto a = at::ones({4}).set_requires_grad(true), b = at::ones({6}).set_requires_grad(true),
             unused = at::ones({2}).set_requires_grad(true);
  Alone alone;
  GradientBuckets buckets({a, b, unused}, alone, {.first_bytes = 1, .bytes = 1});
  // Not armed: nothing is sent.
  (a.sum() + b.sum()).backward();
  EXPECT_TRUE(alone.sizes.empty());
  // The unused parameter's bucket comes first and waits until finish().
  buckets.arm();
  (a.sum() + b.sum()).backward();
  EXPECT_EQ(buckets.sent_early(), 0);
  EXPECT_EQ(buckets.used(), "110");
  buckets.finish(buckets.used());
  EXPECT_THAT(alone.sizes, ElementsAre(2, 6, 4));
  EXPECT_FALSE(unused.grad().defined());
  EXPECT_TRUE(a.grad().eq(2.0).all().item<bool>());  // both passes

  buckets.arm();
  (a.sum() + b.sum() + unused.sum()).backward();
  EXPECT_EQ(buckets.sent_early(), 3);
  buckets.finish("111");
}

TEST(GradientBucketsTest, TheMeanIsTheSameOnAllRanksAndARankWithoutAGradientCountsAsZero) {
  std::vector<std::vector<at::Tensor>> got(2);
  const auto errors = run_ranks({}, [&](Communicator& ranks) {
    const auto rank = static_cast<size_t>(ranks.rank());
    const auto w = at::ones({2, 3, 2, 2}).contiguous(at::MemoryFormat::ChannelsLast);
    w.set_requires_grad(true);
    const auto sometimes = at::ones({3}).set_requires_grad(true);
    const auto never = at::ones({3}).set_requires_grad(true);
    GradientBuckets buckets({w, sometimes, never}, ranks);
    const at::Tensor factors =
        at::arange(24).to(at::kFloat).view({2, 3, 2, 2}) * static_cast<double>(rank + 1);
    at::Tensor loss = (w * factors).sum();
    if (rank == 1) loss = loss + 4.0 * sometimes.sum();
    buckets.arm();
    loss.backward();
    EXPECT_EQ(buckets.used(), rank == 1 ? "110" : "100");
    buckets.finish("110");
    EXPECT_FALSE(never.grad().defined());
    got[rank] = {w.grad().clone(), sometimes.grad().clone()};
  });
  EXPECT_THAT(errors, Each(""));
  const at::Tensor expected = at::arange(24).to(at::kFloat).view({2, 3, 2, 2}) * 1.5;
  for (const auto& gradients : got) {
    EXPECT_TRUE(gradients[0].equal(expected));
    EXPECT_TRUE(gradients[1].eq(2.0).all().item<bool>());
  }
}

TEST(StepReportTest, JoinsRanks) {
  const StepReport a{
      .loss = 1.0, .terms = {{"dice", 0.5}}, .items = 2, .batches = "batch 'x'", .used = "100"};
  StepReport b{.loss = 3.0,
               .terms = {{"bce", 1.0}, {"dice", 1.0}},
               .items = 3,
               .batches = "batch 'y'",
               .used = "001",
               .stop = true};
  StepReport all = joint_report({a, b});
  EXPECT_DOUBLE_EQ(all.loss, 2.0);
  EXPECT_EQ(all.terms, (Metrics{{"bce", 0.5}, {"dice", 0.75}}));
  EXPECT_EQ(all.items, 5);
  EXPECT_EQ(all.used, "101");
  EXPECT_TRUE(all.stop);
  EXPECT_EQ(joint_batches({a, b}), "rank 0: batch 'x'; rank 1: batch 'y'");
  b.loss = NAN;
  all = joint_report({a, b});
  EXPECT_TRUE(std::isnan(all.loss));
  EXPECT_EQ(joint_batches({a, b}), "rank 1: batch 'y'");
}

}  // namespace
}  // namespace voxloom::train
