// What sessions of one segmenter share: every slice of an image is encoded once for all of them.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/infer_ml/feature_pool.h"

#include "ball.h"
#include "stand_in_network.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
using infer_ml::FeatureMaps;
using infer_ml::FeaturePool;
using infer_ml::testing::ball;
using infer_ml::testing::box_prompt;
using infer_ml::testing::kDepth;

namespace {

/// The small network's encoder, with its calls counted.
class CountingEncoder final : public engine::SliceEncoder {
 public:
  CountingEncoder(std::unique_ptr<engine::SliceEncoder> inner,
                  std::shared_ptr<std::atomic<int>> calls)
      : SliceEncoder(inner->engine(), inner->precision()),
        inner_(std::move(inner)),
        calls_(std::move(calls)) {}
  models::sam2::SliceFeatures encode(const at::Tensor& image) override {
    ++*calls_;
    return inner_->encode(image);
  }

 private:
  std::unique_ptr<engine::SliceEncoder> inner_;
  std::shared_ptr<std::atomic<int>> calls_;
};

struct CountedSegmenter {
  explicit CountedSegmenter(int64_t cache_mb = 64) {
    auto network = infer_ml::small_network();
    network->encoder = std::make_unique<CountingEncoder>(std::move(network->encoder), calls);
    infer::RuntimeOptions runtime;
    runtime.feature_cache_mb = cache_mb;
    segmenter = infer_ml::make_sam2_segmenter(network, runtime);
  }
  std::shared_ptr<std::atomic<int>> calls = std::make_shared<std::atomic<int>>(0);
  std::unique_ptr<infer::Segmenter> segmenter;
};

std::vector<uint16_t> label_map(infer::SegmentSession& session,
                                const infer::ObjectPrompt& prompt,
                                const infer::SegmentOptions& options = {}) {
  session.set_prompts({prompt});
  Progress silent;
  const auto result = session.run(options, silent, CancelToken());
  return {result.labels.voxels().begin(), result.labels.voxels().end()};
}

infer::ObjectPrompt point_prompt() {
  infer::ObjectPrompt prompt;
  prompt.points = {{{40, 50, 3}, true}, {{60, 70, 3}, false}};
  return prompt;
}

FeatureMaps maps_of(float value) {
  return {torch::full({1, 2, 4, 4}, value), torch::full({1, 4, 2, 2}, value), torch::Tensor()};
}

constexpr int64_t kSliceBytes = (32 + 16) * 4;

}  // namespace

TEST(SharedFeaturesTest, ASecondSessionOfAnImageEncodesNothing) {
  const CountedSegmenter counted;
  const auto image = ball();
  const auto first = counted.segmenter->open(image), second = counted.segmenter->open(image);
  static_cast<void>(label_map(*first, box_prompt()));
  EXPECT_EQ(*counted.calls, kDepth);
  second->set_prompts({point_prompt()});
  Progress silent;
  const auto result = second->run({}, silent, CancelToken());
  EXPECT_EQ(result.report.slices_encoded, 0);
  EXPECT_GT(result.report.slices_tracked, 0);
  EXPECT_EQ(*counted.calls, kDepth);
}

TEST(SharedFeaturesTest, TheAnswerIsThatOfASessionAlone) {
  const CountedSegmenter shared, alone;
  const auto image = ball();
  const auto first = shared.segmenter->open(image), second = shared.segmenter->open(image);
  static_cast<void>(label_map(*first, box_prompt()));
  const auto expected = label_map(*alone.segmenter->open(ball()), point_prompt());
  EXPECT_EQ(label_map(*second, point_prompt()), expected);
  EXPECT_EQ(*shared.calls, *alone.calls);
}

TEST(SharedFeaturesTest, WhatWasMadeAheadIsWhatAnotherSessionsFirstClickUses) {
  const CountedSegmenter counted;
  const auto image = ball();
  const auto ahead = counted.segmenter->open(image);
  for (int64_t z = 0; z < kDepth; ++z) ahead->warm({}, z, CancelToken());
  EXPECT_EQ(*counted.calls, kDepth);
  static_cast<void>(label_map(*counted.segmenter->open(image), box_prompt()));
  EXPECT_EQ(*counted.calls, kDepth);
}

TEST(SharedFeaturesTest, AnotherWindowOrAnotherImageIsEncodedAgain) {
  const CountedSegmenter counted;
  const auto image = ball();
  const auto first = counted.segmenter->open(image), second = counted.segmenter->open(image);
  first->warm({}, 6, CancelToken());
  infer::SegmentOptions window;
  window.window = "20,220";
  second->warm(window, 6, CancelToken());
  EXPECT_EQ(*counted.calls, 2);
  second->warm({}, 6, CancelToken());
  EXPECT_EQ(*counted.calls, 2) << "the first session's window is there";
  const auto other = counted.segmenter->open(ball());
  other->warm({}, 6, CancelToken());
  EXPECT_EQ(*counted.calls, 3) << "an equal image is another one until it is the same object";
}

TEST(SharedFeaturesTest, FeaturesGoWithTheLastSessionThatHasThem) {
  const CountedSegmenter counted;
  const auto image = ball();
  auto first = counted.segmenter->open(image);
  auto second = counted.segmenter->open(image);
  first->warm({}, 6, CancelToken());
  second->warm({}, 6, CancelToken());
  first.reset();
  counted.segmenter->open(image)->warm({}, 6, CancelToken());
  EXPECT_EQ(*counted.calls, 1) << "the second still has them";
  second.reset();
  counted.segmenter->open(image)->warm({}, 6, CancelToken());
  EXPECT_EQ(*counted.calls, 2);
}

TEST(SharedFeaturesTest, SessionsOutliveTheirSegmenter) {
  CountedSegmenter counted;
  const auto image = ball();
  const auto first = counted.segmenter->open(image), second = counted.segmenter->open(image);
  counted.segmenter.reset();
  first->warm({}, 6, CancelToken());
  second->warm({}, 6, CancelToken());
  EXPECT_EQ(*counted.calls, 1);
}

TEST(SharedFeaturesTest, ThreadsThatWantTheSameSlicesEncodeThemOnce) {
  const CountedSegmenter counted;
  const auto image = ball();
  std::vector<std::unique_ptr<infer::SegmentSession>> sessions;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) sessions.push_back(counted.segmenter->open(image));
  for (auto& session : sessions) {
    threads.emplace_back([&session] {
      for (int64_t z = 0; z < kDepth; ++z) session->warm({}, z, CancelToken());
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(*counted.calls, kDepth);
}

TEST(FeaturePoolTest, OneBudgetHoldsForAllImages) {
  const auto pool = FeaturePool::make(3 * kSliceBytes, false);
  std::vector<std::shared_ptr<infer_ml::ImageFeatures>> images;
  for (int i = 0; i < 3; ++i) images.push_back(pool->open(ball(), "auto"));
  for (int64_t z = 0; z < 5; ++z) {
    for (size_t i = 0; i < images.size(); ++i) {
      const float value = static_cast<float>(z) + 10.0F * static_cast<float>(i);
      static_cast<void>(images[i]->get(z, [&] { return maps_of(value); }));
      EXPECT_LE(pool->resident_bytes(), 3 * kSliceBytes);
    }
  }
  EXPECT_EQ(pool->slices(), 15);
  EXPECT_GE(pool->spilled_slices(), 12);
  const auto never = []() -> FeatureMaps { throw Error(ErrorCode::kInternal, "made twice"); };
  for (size_t i = 0; i < images.size(); ++i) {
    const auto maps = images[i]->get(2, never);
    EXPECT_EQ(maps[0].sum().item<float>(), 32.0F * (2.0F + 10.0F * static_cast<float>(i)));
  }
  images.erase(images.begin());
  EXPECT_EQ(pool->slices(), 10);
  images.clear();
  EXPECT_EQ(pool->slices(), 0);
  EXPECT_EQ(pool->resident_bytes(), 0);
}

TEST(FeaturePoolTest, AFailedSliceIsMadeByTheNextWhoWantsIt) {
  const auto pool = FeaturePool::make(kSliceBytes, false);
  const auto image = pool->open(ball(), "auto");
  EXPECT_THROW(static_cast<void>(image->get(
                   0, []() -> FeatureMaps { throw Error(ErrorCode::kDataCorrupt, "unreadable"); })),
               Error);
  EXPECT_EQ(pool->slices(), 0);
  EXPECT_EQ(image->get(0, [] { return maps_of(3.0F); })[0].max().item<float>(), 3.0F);
}

TEST(FeaturePoolTest, ABadWindowLeavesThePoolUsable) {
  const auto pool = FeaturePool::make(kSliceBytes, false);
  const auto image = ball();
  EXPECT_THROW(static_cast<void>(pool->open(image, "5,4")), Error);
  const auto held = pool->open(image, "auto");
  EXPECT_EQ(pool->open(image, "auto"), held);
}
