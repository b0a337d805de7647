// SAM-Med2D: keys and shapes of the official checkpoint, every part of a shrunken network against
// arrays written by the original code, and files that are not what they should be.
#include "voxloom/models/sam_med2d/sam_med2d.h"

#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"
#include "voxloom/weights/checkpoint.h"
#include "voxloom/weights/torch_writer.h"

#include "sam_med2d_fixture.h"

namespace voxloom::models::sam_med2d {
namespace {

using sam2::max_difference;
using testing::HasSubstr;
using testing::ThrowsMessage;
using KeyMap = std::map<std::string, std::vector<int64_t>>;

constexpr double kTolerance = 1e-4;

KeyMap to_map(const std::vector<tensor::NamedShape>& list) {
  KeyMap keys;
  for (const auto& item : list) {
    EXPECT_TRUE(keys.emplace(item.name, item.shape).second) << item.name << " twice";
  }
  return keys;
}

int64_t count_elements(const KeyMap& keys, const std::string& part) {
  int64_t sum = 0;
  for (const auto& [name, shape] : keys) {
    if (name.find(part) == std::string::npos || name.ends_with("gaussian_matrix")) continue;
    sum += weights::element_count_of(shape, name);
  }
  return sum;
}

/// Every tensor of the list as a view of one buffer of zeros: the true layout without its 1.1 GB.
weights::StateDict shared_zeros(const std::vector<tensor::NamedShape>& keys) {
  int64_t largest = 0;
  for (const auto& key : keys) {
    largest = std::max(largest, weights::element_count_of(key.shape, key.name));
  }
  auto zeros = std::make_shared<const std::vector<float>>(static_cast<size_t>(largest), 0.0F);
  weights::StateDict state;
  for (const auto& key : keys) {
    const auto count = static_cast<size_t>(weights::element_count_of(key.shape, key.name));
    state.add(key.name,
              {weights::DType::kF32,
               key.shape,
               std::as_bytes(std::span<const float>(zeros->data(), count)),
               zeros});
  }
  return state;
}

/// A file that goes away.
struct TempFile {
  explicit TempFile(const std::string& name)
      : path(std::filesystem::temp_directory_path() /
             ("voxloom-" + std::to_string(::getpid()) + "-" + name)) {}
  ~TempFile() {
    std::error_code error;
    std::filesystem::remove(path, error);
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::filesystem::path path;
};

weights::StateDict without(const weights::StateDict& state, const std::string& left_out) {
  weights::StateDict result;
  for (const auto& entry : state.entries()) {
    if (entry.name != left_out) result.add(entry.name, entry.tensor);
  }
  return result;
}

TEST(SamMed2dKeysGolden, ListAndModuleHaveTheOriginalNamesAndShapes) {
  KeyMap wanted;
  for (const auto& key :
       weights::read_key_list(std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) + "/sam_med2d/keys.txt")) {
    wanted[key.name] = key.shape;
  }
  ASSERT_EQ(wanted.size(), 386U);
  EXPECT_EQ(to_map(expected_keys({})), wanted);
  EXPECT_EQ(to_map(tensor::named_shapes(*SamMed2d(SamMed2dOptions{}))), wanted);
  EXPECT_EQ(count_elements(wanted, ""), 271'241'776);
  EXPECT_EQ(count_elements(wanted, ".Adapter."), 180'504'576);
  EXPECT_EQ(count_elements(wanted, "mask_decoder."), 4'058'340);
}

// {"model": state_dict} as torch.save writes it; tensors of one shape share a storage, so that the
// file of 1.1 GB takes a tenth.
TEST(SamMed2dKeysTest, CheckpointFileOfTheTrueLayoutIsRecognisedAndLoaded) {
  const TempFile file("sam-med2d_b.pth");
  weights::write_torch_zip(file.path, shared_zeros(expected_keys({})), "model", Overwrite::kRefuse);
  const auto checkpoint = weights::read_checkpoint(file.path);
  EXPECT_EQ(checkpoint.selected, "model");
  ASSERT_TRUE(is_sam_checkpoint(checkpoint.tensors));
  const auto options = detect_options(checkpoint.tensors, "sam-med2d_b.pth");
  EXPECT_EQ(options, SamMed2dOptions{});
  EXPECT_EQ(variant_name(options), "sam-med2d_b");
  const auto model =
      load_sam_med2d(options, checkpoint.tensors, "sam-med2d_b.pth", tensor::LoadMode::kAlias);
  EXPECT_EQ(model->image_encoder->pos_embed.size(3), 768);
}

TEST(SamMed2dKeysTest, EveryProblemOfAFileIsNamed) {
  auto keys = expected_keys({});
  for (auto& key : keys) {
    if (key.name == "mask_decoder.iou_token.weight") key.shape = {2, 256};
    if (key.name == "image_encoder.blocks.11.Adapter.norm.bias") key.name = "optimizer.step";
  }
  const auto state = shared_zeros(keys);
  const auto load = [&] {
    (void)load_sam_med2d(
        detect_options(state, "bad.pth"), state, "bad.pth", tensor::LoadMode::kAlias);
  };
  EXPECT_THAT(load, ThrowsMessage<Error>(HasSubstr("'bad.pth'")));
  EXPECT_THAT(load, ThrowsMessage<Error>(HasSubstr("image_encoder.blocks.11.Adapter.norm.bias")));
  EXPECT_THAT(load, ThrowsMessage<Error>(HasSubstr("'optimizer.step'")));
  EXPECT_THAT(load, ThrowsMessage<Error>(HasSubstr("must be [1, 256], got [2, 256]")));
}

TEST(SamMed2dKeysTest, SamWithoutAdaptersIsRefused) {
  std::vector<tensor::NamedShape> keys;
  for (const auto& key : expected_keys({})) {
    if (key.name.find("Adapter") == std::string::npos) keys.push_back(key);
  }
  const auto state = shared_zeros(keys);
  EXPECT_TRUE(is_sam_checkpoint(state));
  EXPECT_THAT([&] { (void)detect_options(state, "sam_vit_b.pth"); },
              ThrowsMessage<Error>(HasSubstr("without them")));
  EXPECT_FALSE(is_sam_checkpoint(weights::StateDict{}));
}

TEST(SamMed2dKeysTest, OptionsFollowFromShapesAndSurviveJson) {
  const auto options = detect_options(stand_in_state(shrunken_options()), "small.pth");
  EXPECT_EQ(options, shrunken_options());
  EXPECT_EQ(options_from_json(options_to_json(options), "here"), options);
  EXPECT_THAT(
      [] {
        (void)options_from_json({{"depth", 3}}, "model 'x'");
      },
      ThrowsMessage<Error>(HasSubstr("model 'x': options must hold image_size")));
  auto wrong = options_to_json(options);
  wrong["num_heads"] = 5;
  EXPECT_THAT([&] { (void)options_from_json(wrong, "model 'x'"); },
              ThrowsMessage<Error>(HasSubstr("multiple of 4 and of the heads 5, got 48")));
  const auto torn = without(stand_in_state(shrunken_options()), "image_encoder.neck.0.weight");
  EXPECT_THAT([&] { (void)detect_options(torn, "torn.pth"); },
              ThrowsMessage<Error>(HasSubstr("must name a SAM-Med2D network")));
}

class SamMed2dGolden : public testing::Test {
 protected:
  const torch::NoGradGuard no_grad_;
  SamMed2d model_ = stand_in_network();
};

TEST_F(SamMed2dGolden, BlocksAndEmbedding) {
  auto encoder = model_->image_encoder;
  at::Tensor x = encoder->patch_embed(stand_in_image()) + encoder->pos_embed;
  const auto adapter = encoder->blocks->ptr<BlockImpl>(0)->adapter.ptr();
  EXPECT_LE(max_difference(adapter->forward(x), expected("adapter0")), kTolerance);
  for (size_t i = 0; i < encoder->blocks->size(); ++i) {
    x = encoder->blocks->ptr<BlockImpl>(i)->forward(x);
    EXPECT_LE(max_difference(x, expected(format("block{}", i))), kTolerance) << i;
  }
  EXPECT_LE(max_difference(model_->encode_image(stand_in_image()), expected("embedding")),
            kTolerance);
}

TEST_F(SamMed2dGolden, PointsBoxesAndMasks) {
  for (const auto& item : golden_cases()) {
    SCOPED_TRACE(item.name);
    const auto out = model_->decode(expected("embedding"), golden_prompt(item), golden_mask(item));
    EXPECT_LE(max_difference(out.low, expected(item.name + ".low")), kTolerance);
    EXPECT_LE(max_difference(out.ious, expected(item.name + ".ious")), kTolerance);
    EXPECT_EQ(out.best(), out.ious[0].slice(0, 1).argmax(0).item<int64_t>() + 1);
    if (item.name != "pt1" && item.name != "box_mask") continue;
    const auto full = masks_at_size(out.low, 96, 70, 130).slice(2, 0, 70, 3).slice(3, 0, 130, 3);
    EXPECT_LE(max_difference(full, expected(item.name + ".masks")), kTolerance);
  }
}

TEST_F(SamMed2dGolden, WrongShapesAreNamed) {
  EXPECT_THAT(
      [&] {
        (void)model_->encode_image(torch::zeros({1, 3, 96, 95}));
      },
      ThrowsMessage<Error>(HasSubstr("must be [B, 3, 96, 96], got [1, 3, 96, 95]")));
  const auto prompt = golden_prompt(golden_cases()[0]);
  EXPECT_THAT(
      [&] {
        (void)model_->decode(torch::zeros({1, 64, 5, 6}), prompt, {});
      },
      ThrowsMessage<Error>(HasSubstr("embedding must be [1, 64, 6, 6]")));
  EXPECT_THAT(
      [&] {
        (void)model_->decode(expected("embedding"), prompt, torch::zeros({1, 1, 64, 64}));
      },
      ThrowsMessage<Error>(HasSubstr("mask prompt must be [1, 1, 24, 24]")));
}

// Only points without a box are padded.
TEST(SamMed2dPromptTest, PaddingFollowsTheOriginal) {
  EXPECT_EQ(with_padding_rule({}, {}).labels.numel(), 0);
  const auto points = with_padding_rule({3, 4}, {1});
  EXPECT_TRUE(points.labels.equal(torch::tensor({{1.0F, -1.0F}})));
  EXPECT_TRUE(points.coords.equal(torch::tensor({{{3.0F, 4.0F}, {0.0F, 0.0F}}})));
  EXPECT_EQ(with_padding_rule({1, 1, 9, 9}, {2, 3}).labels.numel(), 2);
  EXPECT_EQ(with_padding_rule({5, 5, 1, 1, 9, 9}, {1, 2, 3}).labels.numel(), 3);
  EXPECT_THAT(
      [] {
        (void)with_padding_rule({1, 2, 3}, {1});
      },
      ThrowsMessage<Error>(HasSubstr("got 3 numbers and 1 labels")));
}

TEST(SamMed2dFileTest, WeightsOfAFileGiveTheOriginalEmbedding) {
  const torch::NoGradGuard no_grad;
  const TempFile file("small.pth");
  weights::write_torch_zip(
      file.path, stand_in_state(shrunken_options()), "model", Overwrite::kRefuse);
  const auto checkpoint = weights::read_checkpoint(file.path);
  auto model = load_sam_med2d(detect_options(checkpoint.tensors, "small.pth"),
                              checkpoint.tensors,
                              "small.pth",
                              tensor::LoadMode::kAlias);
  EXPECT_LE(max_difference(model->encode_image(stand_in_image()), expected("embedding")),
            kTolerance);
}

}  // namespace
}  // namespace voxloom::models::sam_med2d
