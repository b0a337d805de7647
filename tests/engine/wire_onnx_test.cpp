#include "voxloom/engine/wire_onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/tensor/load.h"

namespace voxloom::engine {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

struct Case {
  std::string architecture;
  nlohmann::ordered_json options;
  std::string name;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

// A network that is not in its first state: norms have statistics, biases and heads matter.
std::shared_ptr<models::wire::WireNetwork> shaken(const Case& c) {
  const torch::NoGradGuard no_grad;
  auto network = models::wire::make_wire_network(c.architecture, c.options, 5);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(6);
  for (auto& parameter : network->parameters()) {
    if (parameter.dim() <= 1) parameter.add_(0.1 * torch::randn(parameter.sizes(), generator));
  }
  const int64_t side = std::max<int64_t>(64, network->size_multiple());
  network->train();
  for (int step = 0; step < 3; ++step) {
    (void)network->forward_train(torch::randn({2, network->in_channels(), side, side}, generator));
  }
  network->eval();
  // First logits lie close together and some networks' far apart: two apart, as if trained.
  const at::Tensor image = torch::randn({1, network->in_channels(), side, side}, generator);
  const double spread = network->forward(image).std().item<double>();
  for (auto& parameter : network->named_parameters()) {
    if (parameter.key() == "head.weight") parameter.value().mul_(2.0 / spread);
  }
  return network;
}

std::vector<std::pair<std::string, at::Tensor>> run_openvino(const Case& c,
                                                             const weights::StateDict& state,
                                                             const at::Tensor& image,
                                                             Precision precision) {
  OpenvinoNetwork network({.name = "wire",
                           .key = c.name,
                           .outputs = {kWireLogits, kWireProbability},
                           .graph =
                               [&] {
                                 return wire_graph(
                                     c.architecture,
                                     c.options,
                                     state,
                                     {.height = image.size(2), .width = image.size(3)});
                               },
                           .folder = {}},
                          precision,
                          2,
                          FileCache(std::filesystem::path()));
  return network.run({{kWireInput, image}});
}

class WireOnnxTest : public testing::TestWithParam<Case> {};

TEST_P(WireOnnxTest, EqualsLibtorch) {
  if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  const torch::NoGradGuard no_grad;
  const auto network = shaken(GetParam());
  const int64_t side = std::max<int64_t>(64, network->size_multiple());
  const at::Tensor image = torch::randn({1, network->in_channels(), side, 2 * side},
                                        at::make_generator<at::CPUGeneratorImpl>(9));
  const at::Tensor expected = network->forward(image);
  const auto outputs =
      run_openvino(GetParam(), tensor::state_dict(*network), image, Precision::kF32);
  ASSERT_EQ(outputs.size(), 2U);
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  EXPECT_GT(expected.std().item<double>(), 1e-3);  // a constant would be no test
  EXPECT_LT((outputs[0].second - expected).abs().max().item<double>(), 1e-4 * scale);
  EXPECT_LT((outputs[1].second - expected.sigmoid()).abs().max().item<double>(), 1e-4);
}

// Compiling a grouped 1 x K convolution in bf16 never ended once: every network is compiled here,
// whether it should run in bf16 or not.
TEST_P(WireOnnxTest, Bf16StaysNearF32) {
  if (!has_openvino() || !has_fast_bf16()) GTEST_SKIP() << "needs OpenVINO and bf16 in hardware";
  const torch::NoGradGuard no_grad;
  const auto network = shaken(GetParam());
  const int64_t side = std::max<int64_t>(64, network->size_multiple());
  const at::Tensor image = torch::randn({1, network->in_channels(), side, side},
                                        at::make_generator<at::CPUGeneratorImpl>(9));
  const at::Tensor expected = network->forward(image);
  const auto outputs =
      run_openvino(GetParam(), tensor::state_dict(*network), image, Precision::kBf16);
  const at::Tensor error = outputs[0].second - expected;
  const double relative = (error.norm() / (expected - expected.mean()).norm()).item<double>();
  RecordProperty("relative_error", std::to_string(relative));
  EXPECT_TRUE(outputs[0].second.isfinite().all().item<bool>());
  if (wire_takes_bf16(GetParam().architecture)) EXPECT_LT(relative, 0.1);
}

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const auto& known : models::wire::wire_architectures()) {
    list.push_back({known.name, nlohmann::ordered_json::object(), known.name});
  }
  list.push_back({"light-unet", {{"stem_stride", 2}, {"in_channels", 3}}, "light-unet-stem"});
  return list;
}

INSTANTIATE_TEST_SUITE_P(Networks, WireOnnxTest, testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param.name;
  std::erase(name, '-');
  return name;
});

TEST(WireGraphTest, EqualCallsGiveEqualBytes) {
  const auto network = models::wire::make_wire_network("light-unet", {}, 1);
  const auto state = tensor::state_dict(*network);
  const WireGraphSize size{.height = 64, .width = 64};
  EXPECT_EQ(wire_graph("light-unet", {}, state, size).serialize(),
            wire_graph("light-unet", {}, state, size).serialize());
}

TEST(WireGraphTest, NormsAndIdentitiesFoldAway) {
  const auto network = models::wire::make_wire_network("light-unet", {}, 1);
  const std::string bytes =
      wire_graph("light-unet", {}, tensor::state_dict(*network), {.height = 64, .width = 64})
          .serialize();
  EXPECT_EQ(bytes.find("BatchNormalization"), std::string::npos);
  EXPECT_NE(bytes.find("Conv"), std::string::npos);
}

TEST(WireGraphTest, NamesWhatDoesNotFit) {
  const auto network = models::wire::make_wire_network("light-unet", {}, 1);
  const auto state = tensor::state_dict(*network);
  EXPECT_THAT([&] { (void)wire_graph("light-unet", {}, state, {.height = 65, .width = 64}); },
              ThrowsMessage<Error>(HasSubstr("must be multiples of 32, got 65 x 64")));
  EXPECT_THAT(
      [&] {
        (void)wire_graph("light-unet", {{"heads", "x"}}, state, {});
      },
      ThrowsMessage<Error>(HasSubstr("heads")));
  EXPECT_THAT(
      [&] {
        (void)wire_graph("light-unet", {{"widths", "16,32,48,64,96,160"}}, state, {});
      },
      ThrowsMessage<Error>(HasSubstr("must be [160, 96, 3, 3], got [128, 96, 3, 3]")));
  EXPECT_THAT([&] { (void)wire_graph("light-unet", {}, weights::StateDict(), {}); },
              ThrowsMessage<Error>(HasSubstr("missing keys: 'encoder.0.0.conv.weight'")));
}

}  // namespace
}  // namespace voxloom::engine
