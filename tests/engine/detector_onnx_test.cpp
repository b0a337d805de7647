#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/engine/wire_onnx.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/tensor/load.h"

namespace voxloom::engine {
namespace {

using models::wire::kDetectorLevels;
using testing::HasSubstr;
using testing::ThrowsMessage;

// Not in its first state: norms have statistics, biases and heads matter.
std::shared_ptr<models::wire::Detector> shaken(const nlohmann::ordered_json& options) {
  const torch::NoGradGuard no_grad;
  auto network = models::wire::make_detector(options, 5);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(6);
  for (auto& parameter : network->named_parameters()) {
    auto& value = parameter.value();
    if (value.dim() <= 1) value.add_(0.1 * torch::randn(value.sizes(), generator));
    if (parameter.key().starts_with("head.") && value.dim() == 4) value.mul_(20.0);
  }
  network->train();
  for (int step = 0; step < 2; ++step) {
    (void)network->forward(torch::randn({2, network->options().frames, 64, 64}, generator));
  }
  network->eval();
  return network;
}

class DetectorOnnxTest : public testing::TestWithParam<nlohmann::ordered_json> {};

TEST_P(DetectorOnnxTest, EqualsLibtorchOverTwoFrames) {
  if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  const torch::NoGradGuard no_grad;
  const auto network = shaken(GetParam());
  const auto state = tensor::state_dict(*network);
  const bool previous = network->options().previous;
  OpenvinoSource source{
      .name = "detector",
      .key = GetParam().dump(),
      .outputs = {},
      .graph = [&] { return detector_graph(GetParam(), state, {.height = 64, .width = 96}); },
      .folder = {}};
  for (const char* name : kDetectorMapNames) source.outputs.emplace_back(name);
  if (previous) {
    for (const char* name : kDetectorFeatureNames) source.outputs.emplace_back(name);
  }
  OpenvinoNetwork compiled(source, Precision::kF32, 2, FileCache(std::filesystem::path()));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(9);
  const auto before =
      network->features(torch::randn({1, network->options().frames, 64, 96}, generator));
  const at::Tensor image = torch::randn({1, network->options().frames, 64, 96}, generator);
  const auto features = network->features(image);
  const auto expected = network->detect(features, before);

  std::vector<std::pair<std::string, at::Tensor>> inputs{{kWireInput, image}};
  for (size_t level = 0; previous && level < kDetectorLevels; ++level) {
    inputs.emplace_back(kDetectorPreviousNames[level], before[level].contiguous());
  }
  const auto outputs = compiled.run(inputs);
  ASSERT_EQ(outputs.size(), source.outputs.size());
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    EXPECT_GT(expected[level].std().item<double>(), 1e-2);  // a constant would be no test
    const double scale = std::max(1.0, expected[level].abs().max().item<double>());
    EXPECT_LT((outputs[level].second - expected[level]).abs().max().item<double>(), 1e-4 * scale);
    if (!previous) continue;
    const double width = std::max(1.0, features[level].abs().max().item<double>());
    EXPECT_LT(
        (outputs[kDetectorLevels + level].second - features[level]).abs().max().item<double>(),
        1e-4 * width);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Options,
    DetectorOnnxTest,
    testing::Values(nlohmann::ordered_json::object(),
                    nlohmann::ordered_json{{"previous", false}, {"frames", 1}, {"classes", 2}},
                    nlohmann::ordered_json{{"width", 0.125}, {"depth", 1.0}}),
    [](const auto& test) { return std::string("Case") + std::to_string(test.index); });

TEST(DetectorGraphTest, NamesWhatDoesNotFit) {
  const nlohmann::ordered_json small{{"width", 0.125}};
  const auto network = models::wire::make_detector(small, 1);
  const auto state = tensor::state_dict(*network);
  EXPECT_THAT([&] { (void)detector_graph(small, state, {.height = 48, .width = 64}); },
              ThrowsMessage<Error>(HasSubstr("multiples of 32, got 48 x 64")));
  EXPECT_THAT([&] { (void)detector_graph({}, state, {.height = 64, .width = 64}); },
              ThrowsMessage<Error>(HasSubstr("detector: weights must fit the network")));
}

}  // namespace
}  // namespace voxloom::engine
