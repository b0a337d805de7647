#include "voxloom/models/wire/wire_network.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/tensor/load.h"

namespace voxloom::models::wire {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

at::Tensor noise(const std::vector<int64_t>& shape, uint64_t seed = 3) {
  return torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::kFloat);
}

int64_t parameter_count(const WireNetwork& network) {
  int64_t count = 0;
  for (const at::Tensor& parameter : network.parameters()) count += parameter.numel();
  return count;
}

// Full-size networks at the smallest size they take.
class EveryWireNetworkTest : public testing::TestWithParam<std::string> {
 protected:
  const std::shared_ptr<WireNetwork> network_ = make_wire_network(GetParam(), {}, 7);
  const int64_t side_ = std::max<int64_t>(32, network_->size_multiple());
  const at::Tensor image_ = noise({2, network_->in_channels(), side_, side_});
};

TEST_P(EveryWireNetworkTest, TrainsOnASmallImage) {
  network_->train();
  const std::vector<at::Tensor> logits = network_->forward_train(image_);
  ASSERT_FALSE(logits.empty());
  EXPECT_EQ(logits[0].sizes(), (at::IntArrayRef{2, 1, side_, side_}));
  at::Tensor loss = torch::zeros({});
  int64_t before = side_;
  for (const at::Tensor& z : logits) {
    EXPECT_EQ(z.size(0), 2);
    EXPECT_EQ(z.size(1), 1);
    EXPECT_LE(z.size(2), before);
    EXPECT_EQ(side_ % z.size(2), 0);
    EXPECT_EQ(z.size(2), z.size(3));
    before = z.size(2);
    loss = loss + z.square().mean();
  }
  loss.backward();
  for (const auto& parameter : network_->named_parameters()) {
    ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
    EXPECT_TRUE(parameter.value().grad().isfinite().all().item<bool>()) << parameter.key();
  }
}

TEST_P(EveryWireNetworkTest, ItsFirstOutputsGiveTheForegroundFraction) {
  const torch::NoGradGuard no_grad;
  network_->train();
  const double mean = network_->forward(image_).sigmoid().mean().item<double>();
  EXPECT_NEAR(mean, 0.005, 0.004);
}

TEST_P(EveryWireNetworkTest, ASeedGivesTheSameWeightsAndAnotherDoesNot) {
  const auto again = make_wire_network(GetParam(), {}, 7);
  const auto other = make_wire_network(GetParam(), {}, 8);
  bool differs = false;
  const auto a = network_->named_parameters(), b = again->named_parameters(),
             c = other->named_parameters();
  for (const auto& parameter : a) {
    EXPECT_TRUE(torch::equal(parameter.value(), b[parameter.key()])) << parameter.key();
    differs = differs || !torch::equal(parameter.value(), c[parameter.key()]);
  }
  EXPECT_TRUE(differs);
}

TEST_P(EveryWireNetworkTest, InferenceDoesNotDependOnTheRestOfTheBatch) {
  const torch::NoGradGuard no_grad;
  network_->eval();
  const at::Tensor together = network_->forward(image_);
  const at::Tensor alone = network_->forward(image_.narrow(0, 1, 1));
  EXPECT_TRUE(torch::allclose(together.narrow(0, 1, 1), alone, 1e-4, 1e-4));
}

TEST_P(EveryWireNetworkTest, RefusesImagesThatItCannotHalve) {
  EXPECT_THAT(
      [&] {
        (void)network_->forward(noise({1, network_->in_channels(), side_ + 1, side_}));
      },
      ThrowsMessage<Error>(HasSubstr("with H and W multiples of")));
  EXPECT_THAT(
      [&] {
        (void)network_->forward(noise({1, 9, side_, side_}));
      },
      ThrowsMessage<Error>(HasSubstr(": input must be [B, ")));
}

TEST_P(EveryWireNetworkTest, HasTheKeysOfItsList) {
  std::ostringstream text;
  for (const tensor::NamedShape& key : tensor::named_shapes(*network_)) {
    text << key.name << " (";
    for (size_t axis = 0; axis < key.shape.size(); ++axis) {
      text << (axis > 0 ? ", " : "") << key.shape[axis];
    }
    text << ")\n";
  }
  const std::string path =
      std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) + "/guidewire/keys/" + GetParam() + ".txt";
  // VOXLOOM_WRITE_KEYS=1 writes the list of a new network; weights that were saved before a change
  // of it no longer load.
  if (std::getenv("VOXLOOM_WRITE_KEYS") != nullptr) std::ofstream(path) << text.str();
  EXPECT_EQ(text.str(), read_text_file(path));
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const WireArchitecture& known : wire_architectures()) names.push_back(known.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Architectures,
                         EveryWireNetworkTest,
                         testing::ValuesIn(architecture_names()),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase(name, '-');
                           return name;
                         });

TEST(WireRegistryTest, UnknownArchitecturesAndOptionsAreNamed) {
  EXPECT_THAT([] { (void)make_wire_network("unet", {}, 0); },
              ThrowsMessage<Error>(HasSubstr("architecture must be one of light-unet, ")));
  EXPECT_THAT(
      [] {
        (void)make_wire_network("light-unet", {{"width", 3}}, 0);
      },
      ThrowsMessage<Error>(HasSubstr("light-unet: unknown settings width; known are ")));
  EXPECT_THAT(
      [] {
        (void)make_wire_network("light-unet", {{"widths", "16,x"}}, 0);
      },
      ThrowsMessage<Error>(HasSubstr("whole numbers with commas between them, got '16,x'")));
  EXPECT_THAT(
      [] {
        (void)make_wire_network("light-unet", {{"widths", "16,32"}}, 0);
      },
      ThrowsMessage<Error>(HasSubstr("encoder_blocks must have as many numbers")));
}

TEST(LightUnetTest, StaysBelowTwoMillionParameters) {
  EXPECT_LT(parameter_count(*make_wire_network("light-unet", {}, 0)), 2'000'000);
}

TEST(LightUnetTest, AStemOfStrideTwoStillGivesOneLogitAPixel) {
  const auto network = make_wire_network("light-unet", {{"stem_stride", 2}}, 0);
  EXPECT_EQ(network->size_multiple(), 64);
  const auto logits = network->forward_train(noise({1, 1, 64, 128}));
  EXPECT_EQ(logits[0].sizes(), (at::IntArrayRef{1, 1, 64, 128}));
  EXPECT_EQ(logits[1].sizes(), (at::IntArrayRef{1, 1, 16, 32}));
}

// The fine path is never pooled: two inputs that differ in one pixel give logits that differ there.
TEST(LightUnetTest, ASinglePixelReachesItsOwnLogit) {
  const torch::NoGradGuard no_grad;
  const auto network = make_wire_network("light-unet", {}, 1);
  network->eval();
  at::Tensor image = torch::zeros({1, 1, 64, 64});
  const at::Tensor before = network->forward(image);
  image[0][0][31][17] = -3.0;
  const at::Tensor change = (network->forward(image) - before).abs()[0][0];
  EXPECT_GT(change[31][17].item<float>(), 2.0F * change.mean().item<float>());
}

}  // namespace
}  // namespace voxloom::models::wire
