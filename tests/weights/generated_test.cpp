#include "voxloom/weights/generated.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom::weights {
namespace {

std::filesystem::path key_file(const std::string& name) {
  return std::filesystem::path(VOXLOOM_DEFAULT_GOLDEN_DIR) / "medsam2" / "keys" / name;
}

std::span<const float> values_of(const TensorView& tensor) {
  return {reinterpret_cast<const float*>(tensor.bytes.data()), tensor.bytes.size() / 4};
}

// The published check values of the rule.
TEST(StandInWeightsTest, FollowsTheRule) {
  EXPECT_FLOAT_EQ(static_cast<float>(stand_in_unit("a", 0)), -0.25653815f);
  EXPECT_FLOAT_EQ(static_cast<float>(stand_in_unit("a", 1)), 0.50770867f);
  EXPECT_FLOAT_EQ(static_cast<float>(stand_in_unit("a", 2)), -0.36447346f);
  const TensorView norm = stand_in_tensor({"memory_attention.norm.weight", {256}});
  EXPECT_FLOAT_EQ(values_of(norm)[0], 1.0156987f);
  EXPECT_FLOAT_EQ(values_of(norm)[1], 0.97867f);
  EXPECT_FLOAT_EQ(values_of(norm)[2], 1.0922674f);
}

TEST(StandInWeightsTest, ScalesByKeyAndShape) {
  const auto first = [](const std::string& name, std::vector<int64_t> shape) {
    return static_cast<double>(values_of(stand_in_tensor({name, std::move(shape)}))[0]);
  };
  const auto u = [](const std::string& name) { return stand_in_unit(name, 0); };
  EXPECT_FLOAT_EQ(first("a.weight", {4, 3, 2, 2}), 0.5 * u("a.weight"));  // fan 12
  EXPECT_FLOAT_EQ(first("a.embed.weight", {4, 12}), 0.3 * u("a.embed.weight"));
  EXPECT_FLOAT_EQ(first("iou_token.weight", {4, 12}), 0.3 * u("iou_token.weight"));
  EXPECT_FLOAT_EQ(first("a.bias", {4}), 0.3 * u("a.bias"));
  EXPECT_FLOAT_EQ(first("x.gamma", {4}), u("x.gamma"));
  EXPECT_FLOAT_EQ(first("pe.positional_encoding_gaussian_matrix", {2, 4}),
                  1.5 * u("pe.positional_encoding_gaussian_matrix"));
  EXPECT_EQ(first("sam_mask_decoder.pred_obj_score_head.layers.2.bias", {1}), 5.0);
  EXPECT_FLOAT_EQ(stand_in_input("input.images", 1, 2.0)[0],
                  static_cast<float>(2 * u("input.images")));
}

TEST(StandInWeightsTest, KeyListsHaveThePublishedSizes) {
  const std::tuple<const char*, size_t, int64_t> cases[] = {{"medsam2.txt", 471, 38'962'498},
                                                            {"sam2.1_s.txt", 519, 46'060'354},
                                                            {"sam2.1_b+.txt", 615, 80'850'178},
                                                            {"sam2.1_l.txt", 903, 224'446'642}};
  for (const auto& [file, entries, parameters] : cases) {
    const auto keys = read_key_list(key_file(file));
    EXPECT_EQ(keys.size(), entries) << file;
    int64_t count = 0;
    for (const KeyShape& key : keys) count += element_count_of(key.shape, key.name);
    // The published counts are of parameters; the one buffer (2 x 128) comes on top.
    EXPECT_EQ(count, parameters + 256) << file;
  }
}

TEST(StandInWeightsTest, MakesAWholeStateDictInListOrder) {
  const auto keys = read_key_list(key_file("medsam2.txt"));
  const StateDict dict = make_stand_in_weights(keys);
  ASSERT_EQ(dict.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(dict.entries()[i].name, keys[i].name);
    EXPECT_EQ(dict.entries()[i].tensor.shape, keys[i].shape);
  }
}

TEST(StandInWeightsTest, KeyListsNameTheBadLine) {
  const auto path = std::filesystem::path(testing::TempDir()) / "keys.txt";
  const std::pair<const char*, bool> cases[] = {{"a (1, 2)\n\nb (3,)\nc ()\n", true},
                                                {"a (1, 2\n", false},
                                                {"a\n", false},
                                                {"a (1;2)\n", false},
                                                {"a (-1)\n", false},
                                                {" (1)\n", false},
                                                {"a (99999999999999)\n", false}};
  for (const auto& [text, good] : cases) {
    std::ofstream(path) << text;
    if (good) {
      EXPECT_EQ(read_key_list(path).size(), 3u);
      EXPECT_TRUE(read_key_list(path)[2].shape.empty());
      continue;
    }
    try {
      (void)read_key_list(path);
      ADD_FAILURE() << text;
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr("line 1")) << text;
    }
  }
}

}  // namespace
}  // namespace voxloom::weights
