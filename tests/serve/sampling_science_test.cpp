// Do the scores find what is hard? 20 generated cases, 5 of them made hard, scored with the
// geodesic model; each strategy must bring the hard ones earlier than chance would.
#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

#include "voxloom/infer/geodesic.h"
#include "voxloom/serve/sampling/score_strategies.h"
#include "voxloom/serve/sampling/score_with_model.h"

#include "generated_cases.h"

using namespace voxloom;         // NOLINT(*-using-namespace)
using namespace voxloom::serve;  // NOLINT(*-using-namespace)

namespace {

/// Exact one-sided p of the rank-sum test: the share of all choices of k ranks of 1 ... n whose
/// sum is at most `sum`. No ties.
double rank_sum_p(size_t n, size_t k, size_t sum) {
  // ways[c][s]: choices of c ranks so far with sum s.
  std::vector<std::vector<double>> ways(k + 1, std::vector<double>(n * (n + 1) / 2 + 1, 0.0));
  ways[0][0] = 1.0;
  for (size_t rank = 1; rank <= n; ++rank) {
    for (size_t c = k; c >= 1; --c) {
      for (size_t s = ways[c].size() - 1; s >= rank; --s) ways[c][s] += ways[c - 1][s - rank];
    }
  }
  double below = 0.0, all = 0.0;
  for (size_t s = 0; s < ways[k].size(); ++s) {
    all += ways[k][s];
    if (s <= sum) below += ways[k][s];
  }
  return below / all;
}

struct Ranks {
  std::vector<size_t> hard;
  double p = 1.0;
};

Ranks ranks_of(const std::vector<testing_cases::Case>& cases,
               const std::vector<ImageScores>& scores,
               ScoreKind kind) {
  std::vector<size_t> order(cases.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return score_of(scores[a], kind).value_or(-1.0) > score_of(scores[b], kind).value_or(-1.0);
  });
  Ranks ranks;
  size_t sum = 0;
  for (size_t r = 0; r < order.size(); ++r) {
    if (!cases[order[r]].hard) continue;
    ranks.hard.push_back(r + 1);
    sum += r + 1;
  }
  ranks.p = rank_sum_p(cases.size(), ranks.hard.size(), sum);
  return ranks;
}

}  // namespace

TEST(RankSumTest, AgreesWithTheTable) {
  EXPECT_NEAR(rank_sum_p(20, 5, 15), 1.0 / 15504.0, 1e-12);
  EXPECT_NEAR(rank_sum_p(20, 5, 16), 2.0 / 15504.0, 1e-12);
  EXPECT_NEAR(rank_sum_p(20, 5, 90), 1.0, 1e-12);
  EXPECT_NEAR(rank_sum_p(4, 2, 4), 2.0 / 6.0, 1e-12);
}

TEST(ActiveLearningTest, EachStrategyFindsTheHardCasesEarlierThanRandom) {
  const auto cases = testing_cases::twenty_cases(20);
  const auto model = infer::make_geodesic_segmenter();
  const auto run = score_run_for(*model);
  std::vector<ImageScores> scores;
  for (const auto& one : cases) {
    const auto found =
        score_with_model(*model, image::make_source(one.image), one.box, run, CancelToken());
    ASSERT_TRUE(found) << one.name;
    ASSERT_TRUE(found->entropy && found->disagreement && found->hardness) << one.name;
    scores.push_back(*found);
  }
  for (const auto kind : {ScoreKind::kUncertain, ScoreKind::kDisagree, ScoreKind::kHard}) {
    const auto ranks = ranks_of(cases, scores, kind);
    std::string list;
    for (const size_t rank : ranks.hard) list += " " + std::to_string(rank);
    std::printf("%-10s ranks of the hard cases:%s, p = %.5f\n",
                score_name(kind).c_str(),
                list.c_str(),
                ranks.p);
    EXPECT_LT(ranks.p, 0.01) << score_name(kind);
  }
}
