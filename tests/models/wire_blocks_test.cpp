#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/models/wire/fga_net.h"
#include "voxloom/models/wire/hessian_net.h"
#include "voxloom/models/wire/light_unet.h"
#include "voxloom/models/wire/wire_parts.h"

#include "../nn/gradient_check.h"

namespace voxloom::models::wire {
namespace {

at::Tensor noise(const std::vector<int64_t>& shape,
                 uint64_t seed,
                 at::ScalarType type = torch::kDouble) {
  return torch::randn(
      shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::TensorOptions(type));
}

int64_t count(const torch::nn::Module& module) {
  int64_t total = 0;
  for (const at::Tensor& parameter : module.parameters()) total += parameter.numel();
  return total;
}

DeformableConv deformable(int64_t in, int64_t out) {
  DeformableConv layer(in, out);
  layer->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  layer->weight.copy_(noise({out, in, 3, 3}, 1));
  layer->bias.copy_(noise({out}, 2));
  return layer;
}

TEST(DeformableConvTest, WithoutOffsetsItIsAPlainConvolution) {
  DeformableConv layer = deformable(3, 5);
  const at::Tensor x = noise({2, 3, 7, 9}, 3);
  const at::Tensor expected = torch::conv2d(x, layer->weight, layer->bias, 1, 1);
  EXPECT_TRUE(
      torch::allclose(layer(x, torch::zeros({2, 18, 7, 9}, torch::kDouble)), expected, 0, 1e-12));
}

TEST(DeformableConvTest, OneOffsetForAllTapsMovesTheImage) {
  DeformableConv layer = deformable(2, 3);
  const at::Tensor x = noise({1, 2, 8, 8}, 4);
  at::Tensor offsets = torch::zeros({1, 9, 2, 8, 8}, torch::kDouble);
  offsets.select(2, 0).fill_(2.0);   // rows
  offsets.select(2, 1).fill_(-1.0);  // columns
  const at::Tensor moved = torch::constant_pad_nd(x, {1, 0, 0, 2}).narrow(2, 2, 8).narrow(3, 0, 8);
  const at::Tensor expected = torch::conv2d(moved, layer->weight, layer->bias, 1, 1);
  const at::Tensor result = layer(x, offsets.view({1, 18, 8, 8}));
  // At the outer pixels the moved image has zeros where the original still has values.
  EXPECT_TRUE(torch::allclose(
      result.slice(2, 1, 7).slice(3, 1, 7), expected.slice(2, 1, 7).slice(3, 1, 7), 0, 1e-12));
}

TEST(DeformableConvTest, GradientsEqualFiniteDifferences) {
  DeformableConv layer = deformable(2, 2);
  const at::Tensor x = noise({1, 2, 4, 5}, 5), mix = noise({1, 2, 4, 5}, 6);
  const at::Tensor offsets = 0.3 * noise({1, 18, 4, 5}, 7);
  int64_t kinks = 0;
  EXPECT_LT(nn::gradient_error(
                [&](const at::Tensor& o) { return (layer(x, o) * mix).sum(); }, offsets, kinks),
            1e-6);
  EXPECT_LT(nn::gradient_error(
                [&](const at::Tensor& y) { return (layer(y, offsets) * mix).sum(); }, x, kinks),
            1e-6);
}

TEST(ShiftGroupsTest, EachGroupMovesItsOwnWay) {
  at::Tensor x = torch::zeros({1, 16, 5, 5});
  x.select(2, 2).select(2, 2).fill_(1.0);
  const at::Tensor shifted = shift_groups(x);
  for (int64_t channel = 0; channel < 16; ++channel) {
    const auto& move = kShifts[channel / 2];
    EXPECT_EQ(shifted[0][channel][2 + move[0]][2 + move[1]].item<float>(), 1.0F) << channel;
    EXPECT_EQ(shifted[0][channel].sum().item<float>(), 1.0F);
  }
}

// 45.1 M, the parameters of the published network that an output depends on; its checkpoint's
// 69.6 M hold an Up.pointwise and an Up.conv1 that are never called.
TEST(FgaNetTest, HasThePublishedNumberOfParameters) {
  FgaNetOptions options;
  EXPECT_EQ(count(FgaNet(options)), 45'149'860);
  options.heads = false;
  EXPECT_NEAR(static_cast<double>(count(FgaNet(options))), 45.1e6, 0.05e6);
  EXPECT_NEAR(static_cast<double>(count(FgaNet(fga_light_options()))), 11.3e6, 0.2e6);
}

TEST(HessianNetTest, HasAboutOneMillionParameters) {
  EXPECT_NEAR(static_cast<double>(count(HessianNet(HessianNetOptions{}))), 1.1e6, 0.1e6);
}

TEST(DualAttentionTest, BothBranchesBeginAsIdentity) {
  const torch::NoGradGuard no_grad;
  DualAttention attention(16);
  initialise_convolutions(*attention, at::make_generator<at::CPUGeneratorImpl>(1));
  const at::Tensor x = noise({2, 16, 5, 4}, 8, torch::kFloat);
  EXPECT_TRUE(torch::equal(attention->position(x), x));
  EXPECT_TRUE(torch::equal(attention->channel(x), x));
}

// Against loops over positions and channels, straight from the equations.
TEST(DualAttentionTest, EqualsItsEquations) {
  const torch::NoGradGuard no_grad;
  DualAttention attention(8);
  initialise_convolutions(*attention, at::make_generator<at::CPUGeneratorImpl>(2));
  attention->gamma_position.fill_(0.7);
  attention->gamma_channel.fill_(-0.4);
  const at::Tensor x = 0.5 * noise({1, 8, 3, 4}, 9, torch::kFloat);
  const at::Tensor q = attention->query(x)[0].flatten(1), k = attention->key(x)[0].flatten(1),
                   v = attention->value(x)[0].flatten(1), flat = x[0].flatten(1);
  at::Tensor position = torch::zeros_like(flat), channel = torch::zeros_like(flat);
  for (int64_t i = 0; i < 12; ++i) {
    const at::Tensor weights = torch::mv(k.t(), q.select(1, i)).softmax(0);
    position.select(1, i).copy_(0.7 * torch::mv(v, weights) + flat.select(1, i));
  }
  for (int64_t c = 0; c < 8; ++c) {
    const at::Tensor energy = torch::mv(flat, flat[c]);
    const at::Tensor weights = (energy.max() - energy).softmax(0);
    channel[c].copy_(-0.4 * torch::mv(flat.t(), weights) + flat[c]);
  }
  EXPECT_TRUE(torch::allclose(attention->position(x)[0].flatten(1), position, 1e-5, 1e-5));
  EXPECT_TRUE(torch::allclose(attention->channel(x)[0].flatten(1), channel, 1e-5, 1e-5));
  EXPECT_TRUE(torch::allclose(attention(x)[0].flatten(1), position + channel, 1e-5, 1e-5));
}

}  // namespace
}  // namespace voxloom::models::wire
