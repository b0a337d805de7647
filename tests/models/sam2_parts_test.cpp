#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/hiera.h"
#include "voxloom/models/sam2/holes.h"
#include "voxloom/models/sam2/position.h"
#include "voxloom/models/sam2/window.h"
#include "voxloom/tensor/view.h"

#include "sam2_fixture.h"

namespace voxloom::models::sam2 {
namespace {

TEST(HieraPlanTest, TinyHasThePublishedBlockTable) {
  const auto plan = hiera_plan(variant_options("medsam2_t512").hiera);
  ASSERT_EQ(plan.size(), 12U);
  const std::vector<int64_t> windows{8, 8, 4, 4, 14, 0, 14, 0, 14, 0, 14, 7};
  const std::vector<int64_t> widths{96, 192, 192, 384, 384, 384, 384, 384, 384, 384, 768, 768};
  const std::vector<int64_t> heads{1, 2, 2, 4, 4, 4, 4, 4, 4, 4, 8, 8};
  for (size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(plan[i].window, windows[i]) << i;
    EXPECT_EQ(plan[i].dim_out, widths[i]) << i;
    EXPECT_EQ(plan[i].num_heads, heads[i]) << i;
    EXPECT_EQ(plan[i].pool, i == 1 || i == 3 || i == 10) << i;
  }
}

TEST(WindowTest, JoiningUndoesSplittingWhateverThePadding) {
  for (const int64_t window : {0, 3, 4, 7}) {
    const at::Tensor x = keyed_uniform("map", {2, 8, 5, 3});
    const WindowGrid grid = WindowGrid::of(8, 5, window);
    const at::Tensor windows = split_windows(x, grid, torch::full({3}, 9.0F));
    EXPECT_EQ(windows.size(0), 2 * grid.rows * grid.columns);
    EXPECT_EQ(max_difference(join_windows(windows, grid), x), 0.0) << window;
    const int64_t padding = windows.numel() - x.numel();
    EXPECT_EQ((windows == 9.0F).sum().item<int64_t>(), padding) << window;
  }
}

TEST(RopeTest, ProductsDependOnlyOnTheDistance) {
  // The rotary property: the product of a rotated query and key is the same for all pairs of
  // cells with the same offset.
  const RopeTable table = rope_table(16, 4, 5, 10000.0);
  const at::Tensor q = keyed_uniform("q", {16}).expand({20, 16});
  const at::Tensor k = keyed_uniform("k", {16}).expand({20, 16});
  const at::Tensor products = at::matmul(apply_rope(q, table), apply_rope(k, table).t());
  const auto at_cell = [&](int64_t y0, int64_t x0, int64_t y1, int64_t x1) {
    return products[y0 * 5 + x0][y1 * 5 + x1].item<float>();
  };
  EXPECT_NEAR(at_cell(0, 0, 1, 2), at_cell(2, 1, 3, 3), 1e-5);
  EXPECT_NEAR(at_cell(3, 4, 1, 1), at_cell(2, 3, 0, 0), 1e-5);
  EXPECT_GT(std::abs(at_cell(0, 0, 1, 2) - at_cell(0, 0, 2, 1)), 1e-3);
}

TEST(HolesTest, FillsSmallBackgroundRegionsWithDiagonalsConnected) {
  at::Tensor logits = torch::ones({1, 1, 8, 8});
  logits[0][0][1][1] = -3.0F;  // one pixel
  logits[0][0][4][4] = -3.0F;  // a diagonal of three is one region of three
  logits[0][0][5][5] = 0.0F;
  logits[0][0][6][6] = -3.0F;
  EXPECT_EQ((fill_holes(logits, 2) <= 0).sum().item<int64_t>(), 3);
  EXPECT_EQ((fill_holes(logits, 3) <= 0).sum().item<int64_t>(), 0);
  EXPECT_FLOAT_EQ(fill_holes(logits, 3)[0][0][5][5].item<float>(), 0.1F);
  EXPECT_EQ(max_difference(fill_holes(logits, 0), logits), 0.0);
  EXPECT_FLOAT_EQ(logits[0][0][1][1].item<float>(), -3.0F) << "the input was changed";
}

TEST(VitTest, PlainTrunkHasOneMapOfStride16AndNoFineFeatures) {
  Sam2Options options = variant_options("efficienttam_ti_512");
  options.image_size = 256;  // 16 x 16 cells: windows of 14 need padding
  Sam2 model(options);
  tensor::load_state_dict(*model, golden_state(options), "made weights");
  model->eval();
  const torch::NoGradGuard no_grad;
  const SliceFeatures features = model->encode_image(keyed_uniform("image", {1, 3, 256, 256}));
  EXPECT_FALSE(features.f0.defined());
  EXPECT_EQ(features.f2.sizes().vec(), (std::vector<int64_t>{1, 256, 16, 16}));
  EXPECT_TRUE(features.f2.isfinite().all().item<bool>());
  const HeadsOutput out =
      model->heads(model->without_memory(features.f2), features, HeadsPrompt{}, true, {});
  EXPECT_EQ(out.low.sizes().vec(), (std::vector<int64_t>{1, 1, 64, 64}));
  const auto [tokens, positions] =
      model->pointer_tokens(out.pointer, torch::zeros({1}, torch::kDouble));
  EXPECT_EQ(tokens.sizes().vec(), (std::vector<int64_t>{4, 64}));
  EXPECT_EQ(positions.abs().max().item<float>(), 0.0F);
}

TEST(LoadTest, CastsAndAliasesAndKeepsTheFileAlive) {
  const Sam2Options options = shrunken_options();
  Sam2 copy(options), alias(options);
  {
    const weights::StateDict full = golden_state(options);
    weights::StateDict half;
    for (const auto& entry : full.entries()) {
      half.add(entry.name, tensor::to_view(tensor::from_view(entry.tensor).to(torch::kHalf)));
    }
    tensor::load_state_dict(*copy, half, "half");
    tensor::load_state_dict(*alias, full, "full", tensor::LoadMode::kAlias);
    EXPECT_EQ(alias->no_obj_ptr.const_data_ptr(),
              static_cast<const void*>(full.find("no_obj_ptr")->bytes.data()));
  }
  const at::Tensor expected = 0.3 * keyed_uniform("no_obj_ptr", {1, 64});
  EXPECT_LE(max_difference(alias->no_obj_ptr, expected), 1e-7);
  EXPECT_LE(max_difference(copy->no_obj_ptr, expected), 3e-4);
  EXPECT_EQ(copy->no_obj_ptr.scalar_type(), torch::kFloat);
}

TEST(LoadTest, ChangedWeightsRenewCachedTables) {
  const Sam2Options options = shrunken_options();
  Sam2 model(options);
  tensor::load_state_dict(*model, golden_state(options), "golden");
  model->eval();
  const torch::NoGradGuard no_grad;
  const at::Tensor image = golden_images().narrow(0, 0, 1);
  const at::Tensor before = model->encode_image(image).f2.clone();
  for (auto& item : model->named_parameters()) {
    if (item.key() == "image_encoder.trunk.pos_embed") item.value().mul_(-2.0);
  }
  EXPECT_GT(max_difference(model->encode_image(image).f2, before), 1e-3);
}

TEST(OptionsTest, RefusesWhatCannotBeBuilt) {
  Sam2Options options = shrunken_options();
  options.image_size = 100;
  EXPECT_THROW(static_cast<void>(Sam2(options)), Error);
  options = shrunken_options();
  options.memory_dim = 24;
  EXPECT_THROW(static_cast<void>(Sam2(options)), Error);
  options = shrunken_options();
  options.image_size = 160;  // 40 is no multiple of 16
  options.hiera.window_spec = {16, 2, 7, 3};
  EXPECT_THROW(static_cast<void>(Sam2(options)), Error);
}

}  // namespace
}  // namespace voxloom::models::sam2
