// Every module of the shrunken network against arrays written by the original code. float32 on
// both sides: the independent check of those arrays agrees to 1e-5, so 1e-4 leaves room for
// another order of summation and nothing else.
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/models/sam2/sam2.h"

#include "sam2_fixture.h"

namespace voxloom::models::sam2 {
namespace {

constexpr double kTolerance = 1e-4;

#define EXPECT_GOLDEN(value, name) \
  EXPECT_LE(max_difference((value), golden(name)), kTolerance) << (name)

class ModuleGoldenTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { model_ = new Sam2(golden_model()); }
  static void TearDownTestSuite() {
    delete model_;
    model_ = nullptr;
  }

  Sam2Impl& model() { return **model_; }
  SliceFeatures first_slice() { return model().encode_image(golden_images().narrow(0, 0, 1)); }

  struct Prompted {
    at::Tensor tokens;
    HeadsOutput out;
  };
  Prompted prompted(const std::vector<float>& xy,
                    const std::vector<int64_t>& labels,
                    bool multimask,
                    const at::Tensor& mask = {}) {
    HeadsPrompt prompt;
    const auto count = static_cast<int64_t>(labels.size());
    prompt.points = torch::tensor(xy).view({1, count, 2});
    prompt.labels = torch::tensor(labels, torch::kLong).view({1, count});
    prompt.mask = mask;
    const SliceFeatures features = first_slice();
    return {model().sam_prompt_encoder->embed_points(prompt.points, prompt.labels),
            model().heads(model().without_memory(features.f2), features, prompt, multimask, {})};
  }
  void expect_heads(const std::string& name, const Prompted& got) {
    EXPECT_GOLDEN(got.tokens, "heads." + name + ".sparse");
    EXPECT_GOLDEN(got.out.masks, "heads." + name + ".low_multi");
    EXPECT_GOLDEN(got.out.ious, "heads." + name + ".ious");
    EXPECT_GOLDEN(got.out.low, "heads." + name + ".low");
    EXPECT_GOLDEN(got.out.pointer, "heads." + name + ".ptr");
    EXPECT_GOLDEN(got.out.score, "heads." + name + ".score");
  }

  static Sam2* model_;
  const torch::NoGradGuard no_grad_;
};
Sam2* ModuleGoldenTest::model_ = nullptr;

TEST_F(ModuleGoldenTest, WeightsFollowTheRules) {
  const at::Tensor a = keyed_uniform("a", {3});
  EXPECT_FLOAT_EQ(a[0].item<float>(), -0.25653815F);
  EXPECT_FLOAT_EQ(a[1].item<float>(), 0.50770867F);
  EXPECT_FLOAT_EQ(a[2].item<float>(), -0.36447346F);
  EXPECT_NEAR(model().memory_attention->norm->weight[0].item<float>(), 1.0156987, 1e-6);
}

TEST_F(ModuleGoldenTest, TrunkGivesTheOriginalMaps) {
  const auto maps = model().image_encoder->trunk->forward(golden_images().narrow(0, 0, 1));
  ASSERT_EQ(maps.size(), 4U);
  for (size_t i = 0; i < 4; ++i) EXPECT_GOLDEN(maps[i], "trunk." + std::to_string(i));
}

TEST_F(ModuleGoldenTest, ImageFeatures) {
  const SliceFeatures features = first_slice();
  EXPECT_GOLDEN(features.f0, "forward_image.0");
  EXPECT_GOLDEN(features.f1, "forward_image.1");
  EXPECT_GOLDEN(features.f2, "forward_image.2");
}

TEST_F(ModuleGoldenTest, ABatchOfSlicesGivesEachSlicesFeatures) {
  const SliceFeatures batch = model().encode_image(golden_images().narrow(0, 0, 3));
  EXPECT_GOLDEN(batch.slice(0).f2, "forward_image.2");
  const SliceFeatures third = model().encode_image(golden_images().narrow(0, 2, 1));
  EXPECT_LE(max_difference(batch.slice(2).f0, third.f0), kTolerance);
  EXPECT_LE(max_difference(batch.slice(2).f2, third.f2), kTolerance);
}

TEST_F(ModuleGoldenTest, Positions) {
  const at::Tensor image = model().image_position().t().reshape({1, 64, 8, 8});
  EXPECT_GOLDEN(image, "vision_pos_enc.2");
  EXPECT_GOLDEN(model().memory_position().t().reshape({1, 16, 8, 8}), "memory_encoder.pos");
  EXPECT_GOLDEN(model().sam_prompt_encoder->dense_position(8), "dense_pe");
}

TEST_F(ModuleGoldenTest, HeadsWithABox) {
  expect_heads("box", prompted({28, 19, 85, 90}, {kBoxTopLeft, kBoxBottomRight}, false));
}

TEST_F(ModuleGoldenTest, HeadsWithOnePoint) {
  expect_heads("pt1", prompted({42.5, 51.25}, {kPositive}, true));
}

TEST_F(ModuleGoldenTest, HeadsWithTwoPoints) {
  expect_heads("pts", prompted({42.5, 51.25, 70, 25}, {kPositive, kNegative}, false));
}

TEST_F(ModuleGoldenTest, HeadsWithoutPrompt) {
  const Prompted explicit_padding = prompted({0, 0}, {kNotAPoint}, true);
  expect_heads("none", explicit_padding);
  const SliceFeatures features = first_slice();
  const HeadsOutput out =
      model().heads(model().without_memory(features.f2), features, HeadsPrompt{}, true, {});
  EXPECT_LE(max_difference(out.masks, explicit_padding.out.masks), 0.0);
}

TEST_F(ModuleGoldenTest, HeadsWithABoxAndAnEarlierMask) {
  const at::Tensor earlier = 8.0 * keyed_uniform("input.prev_logits", {1, 1, 32, 32});
  const Prompted got = prompted({28, 19, 85, 90}, {kBoxTopLeft, kBoxBottomRight}, false, earlier);
  EXPECT_GOLDEN(got.out.low, "heads.box_prevmask.low");
  EXPECT_GOLDEN(got.out.pointer, "heads.box_prevmask.ptr");
}

TEST_F(ModuleGoldenTest, MemoryEncoder) {
  const at::Tensor f2 = first_slice().f2;
  const at::Tensor logits = 6.0 * keyed_uniform("input.high_logits", {1, 1, 128, 128});
  const at::Tensor present = torch::full({1, 1}, 5.0F);
  EXPECT_GOLDEN(model().encode_memory(f2, logits, present, true), "memory_encoder.binarize1");
  EXPECT_GOLDEN(model().encode_memory(f2, logits, present, false), "memory_encoder.binarize0");
  EXPECT_GOLDEN(model().encode_memory(f2, logits, -present, false), "memory_encoder.absent");
}

TEST_F(ModuleGoldenTest, MemoryAttention) {
  const at::Tensor memory = keyed_uniform("input.memory", {204, 1, 16}).transpose(0, 1);
  const at::Tensor position = keyed_uniform("input.memory_pos", {204, 1, 16}).transpose(0, 1);
  const at::Tensor out = model().memory_attention(
      first_slice().f2.flatten(2).transpose(1, 2), model().image_position(), memory, position, 12);
  EXPECT_GOLDEN(out.transpose(0, 1), "memory_attention.out");
}

TEST_F(ModuleGoldenTest, AbsentObjectGivesTheFixedLogitsAndPointer) {
  Sam2 absent = golden_model(-5.0F);
  const SliceFeatures features = first_slice();
  const HeadsOutput out =
      absent->heads(absent->without_memory(features.f2), features, HeadsPrompt{}, true, {});
  EXPECT_LT(out.score.item<float>(), 0.0F);
  EXPECT_EQ(out.masks.min().item<float>(), -1024.0F);
  EXPECT_EQ(out.masks.max().item<float>(), -1024.0F);
  EXPECT_EQ(max_difference(out.pointer, absent->no_obj_ptr), 0.0);
}

}  // namespace
}  // namespace voxloom::models::sam2
