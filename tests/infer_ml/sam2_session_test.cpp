// The session on a small network with stand-in weights: what is computed again, what is kept, and
// that the answer does not depend on the road to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/random.h"

#include "stand_in_network.h"

using namespace voxloom;  // NOLINT(*-using-namespace)
using infer_ml::small_network;

namespace {

constexpr int64_t kWidth = 90, kHeight = 100, kDepth = 12;

/// A bright ball on a noisy ground, in 8 bits.
std::shared_ptr<image::VolumeSource> ball() {
  image::Volume volume(image::Geometry{.size = {kWidth, kHeight, kDepth}, .spacing_mm = {1, 1, 3}},
                       image::PixelType::kUint8);
  Rng rng(7);
  auto voxels = volume.as<uint8_t>();
  for (int64_t z = 0, i = 0; z < kDepth; ++z) {
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x, ++i) {
        const int64_t dx = x - 40, dy = y - 50, dz = (z - 6) * 3;
        const double value = (dx * dx + dy * dy + dz * dz < 16 * 16 ? 180 : 60) + 10 * rng.normal();
        voxels[static_cast<size_t>(i)] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
      }
    }
  }
  return image::make_source(std::move(volume));
}

infer::ObjectPrompt box_prompt() {
  infer::ObjectPrompt prompt;
  prompt.boxes = {{{25, 35, 6}, {55, 65, 6}}};
  return prompt;
}

class Sam2SessionTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { network_ = new std::shared_ptr(small_network()); }
  static void TearDownTestSuite() {
    delete network_;
    network_ = nullptr;
  }

  std::unique_ptr<infer::SegmentSession> open(int64_t cache_mb = 64) const {
    infer::RuntimeOptions runtime;
    runtime.feature_cache_mb = cache_mb;
    return infer_ml::open_sam2_session(*network_, ball(), runtime);
  }
  static infer::SegmentResult run(infer::SegmentSession& session,
                                  const infer::SegmentOptions& options = {}) {
    Progress silent;
    return session.run(options, silent, CancelToken());
  }
  static std::vector<uint16_t> voxels(const infer::SegmentResult& result) {
    return {result.labels.voxels().begin(), result.labels.voxels().end()};
  }

  static std::shared_ptr<infer_ml::Sam2Network>* network_;
};

std::shared_ptr<infer_ml::Sam2Network>* Sam2SessionTest::network_ = nullptr;

}  // namespace

TEST_F(Sam2SessionTest, EncodesEverySliceOnceForBothDirections) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const auto result = run(*session);
  EXPECT_EQ(result.report.slices_encoded, kDepth);
  EXPECT_EQ(result.report.slices_tracked, kDepth + 1);  // the key slice belongs to both halves
  EXPECT_EQ(result.report.engine, "torch");
  EXPECT_EQ(result.report.precision, "f32");
}

TEST_F(Sam2SessionTest, AFurtherClickMakesNoEncoderCall) {
  const auto session = open();
  auto prompt = box_prompt();
  session->set_prompts({prompt});
  static_cast<void>(run(*session));
  prompt.points.push_back({{30, 40, 6}, false});
  session->set_prompts({prompt});
  const auto mask = session->preview_slice(0, 6, CancelToken());
  EXPECT_EQ(mask.size(), static_cast<size_t>(kWidth * kHeight));
  const auto second = run(*session);
  EXPECT_EQ(second.report.slices_encoded, 0);
  EXPECT_GT(second.report.slices_tracked, 0);
}

TEST_F(Sam2SessionTest, NothingIsComputedWhenNothingChanged) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const auto first = run(*session);
  const auto second = run(*session);
  EXPECT_EQ(second.report.slices_encoded, 0);
  EXPECT_EQ(second.report.slices_tracked, 0);
  EXPECT_EQ(voxels(first), voxels(second));
}

TEST_F(Sam2SessionTest, TheAnswerDependsOnThePromptsAloneNotOnTheirHistory) {
  const auto session = open();
  auto refined = box_prompt();
  refined.points.push_back({{30, 40, 6}, false});
  session->set_prompts({box_prompt()});
  const auto first = run(*session);
  session->set_prompts({refined});
  static_cast<void>(run(*session));
  session->set_prompts({box_prompt()});
  EXPECT_EQ(voxels(run(*session)), voxels(first));
}

TEST_F(Sam2SessionTest, ASpilledCacheGivesTheSameAnswer) {
  const auto roomy = open(64), tight = open(1);
  for (const auto* session : {&roomy, &tight}) (*session)->set_prompts({box_prompt()});
  EXPECT_EQ(voxels(run(*roomy)), voxels(run(*tight)));
}

TEST_F(Sam2SessionTest, AnObjectAddedLaterLeavesTheOtherAsItWas) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  static_cast<void>(run(*session));
  infer::ObjectPrompt second{.name = "second", .value = 2};
  second.points = {{{70, 80, 3}, true}};
  session->set_prompts({box_prompt(), second});
  const auto both = run(*session);
  EXPECT_EQ(both.report.slices_encoded, 0);
  EXPECT_EQ(both.report.slices_tracked, kDepth + 1);  // only the new object
}

TEST_F(Sam2SessionTest, PointsOnTwoSlicesBoundTheObjectAndBothPassesWalkTheRange) {
  const auto session = open();
  infer::ObjectPrompt prompt;
  prompt.points = {{{30, 40, 3}, true}, {{50, 60, 9}, true}};
  session->set_prompts({prompt});
  const auto result = run(*session, {.components = infer::Components::kAll});
  EXPECT_EQ(result.report.slices_tracked, 2 * 7);
  EXPECT_EQ(result.report.slices_encoded, 7);
  const auto labels = voxels(result);
  for (int64_t z = 0; z < kDepth; ++z) {
    if (z >= 3 && z <= 9) continue;
    for (int64_t i = 0; i < kWidth * kHeight; ++i) {
      ASSERT_EQ(labels[static_cast<size_t>(z * kWidth * kHeight + i)], 0) << "slice " << z;
    }
  }
}

TEST_F(Sam2SessionTest, ACancelledRunLeavesTheSessionUsable) {
  const auto session = open();
  session->set_prompts({box_prompt()});
  const CancelToken stop;
  stop.cancel();
  Progress silent;
  EXPECT_THROW(static_cast<void>(session->run({}, silent, stop)), Error);
  const auto fresh = open();
  fresh->set_prompts({box_prompt()});
  EXPECT_EQ(voxels(run(*session)), voxels(run(*fresh)));
}

TEST_F(Sam2SessionTest, PromptsOutsideTheVolumeAreNamed) {
  const auto session = open();
  infer::ObjectPrompt prompt;
  prompt.points = {{{200, 40, 3}, true}};
  EXPECT_THAT([&] { session->set_prompts({prompt}); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("200")));
  EXPECT_THROW(static_cast<void>(run(*session)), Error);
}
