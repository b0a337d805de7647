#include "voxloom/models/wire/detector.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/models/wire/detector_loss.h"
#include "voxloom/tensor/load.h"

namespace voxloom::models::wire {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

int64_t parameter_count(const torch::nn::Module& network) {
  int64_t count = 0;
  for (const at::Tensor& parameter : network.parameters()) count += parameter.numel();
  return count;
}

at::Tensor noise(const std::vector<int64_t>& shape, uint64_t seed = 3) {
  return torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed), torch::kFloat);
}

// A network small enough for every test.
const nlohmann::ordered_json kSmall{{"width", 0.125}, {"depth", 0.33}};

TEST(DetectorTest, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(parameter_count(Detector({.classes = 1, .previous = false})), 7'022'326);
  EXPECT_EQ(parameter_count(Detector({.classes = 80, .previous = false})), 7'235'389);
}

TEST(DetectorTest, SeeingThePreviousFrameAddsThreeLayers) {
  EXPECT_EQ(parameter_count(Detector({.previous = true})), 7'022'326 + 689'920);
}

TEST(DetectorTest, GivesAMapALevel) {
  const torch::NoGradGuard no_grad;
  const auto network = make_detector(kSmall, 1);
  network->eval();
  const auto maps = network->forward(noise({2, 3, 64, 96}));
  EXPECT_EQ(maps[0].sizes(), (at::IntArrayRef{2, 18, 8, 12}));
  EXPECT_EQ(maps[1].sizes(), (at::IntArrayRef{2, 18, 4, 6}));
  EXPECT_EQ(maps[2].sizes(), (at::IntArrayRef{2, 18, 2, 3}));
}

TEST(DetectorTest, ItsFirstScoresExpectFewObjects) {
  const torch::NoGradGuard no_grad;
  const auto network = make_detector(kSmall, 1);
  network->eval();
  const auto maps = network->forward(noise({1, 3, 64, 64}));
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    const double cells = 640.0 / static_cast<double>(kDetectorLevelList[level].stride);
    const at::Tensor map = maps[level].view({3, 6, maps[level].size(2), maps[level].size(3)});
    EXPECT_NEAR(map.select(1, 4).mean().item<double>(), std::log(8.0 / (cells * cells)), 0.5);
    EXPECT_NEAR(map.select(1, 5).mean().item<double>(), std::log(0.6 / 0.00001), 0.5);
  }
}

TEST(DetectorTest, TheFrameBeforeReachesTheOutput) {
  const torch::NoGradGuard no_grad;
  const auto network = make_detector(kSmall, 1);
  network->eval();
  const auto now = network->features(noise({1, 3, 64, 64}, 4));
  const auto before = network->features(noise({1, 3, 64, 64}, 5));
  const auto alone = network->detect(now, now), moved = network->detect(now, before);
  EXPECT_GT((alone[0] - moved[0]).abs().max().item<double>(), 1e-4);
  const auto plain = make_detector({{"width", 0.125}, {"previous", false}}, 1);
  plain->eval();
  EXPECT_TRUE(torch::equal(plain->detect(now, now)[0], plain->detect(now, before)[0]));
}

TEST(DetectorTest, ASeedGivesTheSameWeightsAndAnotherDoesNot) {
  const auto a = make_detector(kSmall, 7)->parameters(), b = make_detector(kSmall, 7)->parameters(),
             c = make_detector(kSmall, 8)->parameters();
  bool differs = false;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(torch::equal(a[i], b[i]));
    differs = differs || !torch::equal(a[i], c[i]);
  }
  EXPECT_TRUE(differs);
}

TEST(DetectorTest, HasTheKeysOfItsList) {
  std::ostringstream text;
  for (const tensor::NamedShape& key : tensor::named_shapes(Detector(DetectorOptions{}))) {
    text << key.name << " (";
    for (size_t axis = 0; axis < key.shape.size(); ++axis) {
      text << (axis > 0 ? ", " : "") << key.shape[axis];
    }
    text << ")\n";
  }
  const std::string path = std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) + "/guidewire/keys/detector.txt";
  if (std::getenv("VOXLOOM_WRITE_KEYS") != nullptr) std::ofstream(path) << text.str();
  EXPECT_EQ(text.str(), read_text_file(path));
}

TEST(DetectorTest, NamesWhatDoesNotFit) {
  const auto network = make_detector(kSmall, 1);
  EXPECT_THAT(
      [&] {
        (void)network->features(noise({1, 3, 60, 64}));
      },
      ThrowsMessage<Error>(HasSubstr("multiples of 32, got [1, 3, 60, 64]")));
  EXPECT_THAT(
      [&] {
        (void)network->features(noise({1, 1, 64, 64}));
      },
      ThrowsMessage<Error>(HasSubstr("must be [B, 3, H, W]")));
  EXPECT_THAT(
      [] {
        (void)make_detector({{"widths", 3}}, 0);
      },
      ThrowsMessage<Error>(HasSubstr("detector: unknown settings widths")));
}

// By hand: 40 x 40 px at (100, 52) in an image of 128 x 128.
TEST(AssignTargetsTest, ABoxBelongsToFittingAnchorsAndThreeCells) {
  const auto assigned =
      assign_targets({{.cx = 100.0, .cy = 52.0, .width = 40.0, .height = 40.0}}, 128, 128);
  // Level 8: (10,13) differs by exactly 4 along x and does not fit, the other two do. The centre is
  // cell (12.5, 6.5): in the middle of a cell, no neighbour is nearer.
  ASSERT_EQ(assigned[0].size(), 2U);
  EXPECT_EQ(assigned[0][0].anchor, 1);
  EXPECT_EQ(assigned[0][1].anchor, 2);
  EXPECT_EQ(assigned[0][0].x, 12);
  EXPECT_EQ(assigned[0][0].y, 6);
  // Level 16: all three; the centre is cell (6.25, 3.25): left and upper neighbours.
  ASSERT_EQ(assigned[1].size(), 9U);
  EXPECT_EQ(assigned[1][0].x, 6);
  EXPECT_EQ(assigned[1][0].y, 3);
  EXPECT_EQ(assigned[1][1].x, 5);
  EXPECT_EQ(assigned[1][1].y, 3);
  EXPECT_EQ(assigned[1][2].x, 6);
  EXPECT_EQ(assigned[1][2].y, 2);
  // Level 32: (116,90) alone; cell (3.125, 1.625): left and lower.
  ASSERT_EQ(assigned[2].size(), 3U);
  EXPECT_EQ(assigned[2][0].anchor, 0);
  EXPECT_EQ(assigned[2][1].x, 2);
  EXPECT_EQ(assigned[2][2].y, 2);
}

TEST(AssignTargetsTest, NeighboursStayInsideTheImage) {
  const auto assigned =
      assign_targets({{.cx = 1.0, .cy = 127.0, .width = 34.0, .height = 34.0}}, 128, 128);
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    const int64_t cells = 128 / kDetectorLevelList[level].stride;
    for (const auto& cell : assigned[level]) {
      EXPECT_EQ(cell.x, 0);
      EXPECT_EQ(cell.y, cells - 1);
    }
  }
}

TEST(AssignTargetsTest, ALongThinBoxGetsTheAnchorThatDiffersLeast) {
  // 512 x 33 px: (62,45) differs by 8.3 and (30,61) by more; (116,90) by 4.4, the least.
  const auto assigned =
      assign_targets({{.cx = 256.0, .cy = 260.0, .width = 512.0, .height = 33.0}}, 512, 512);
  EXPECT_TRUE(assigned[0].empty());
  EXPECT_TRUE(assigned[1].empty());
  ASSERT_FALSE(assigned[2].empty());
  for (const auto& cell : assigned[2]) EXPECT_EQ(cell.anchor, 0);
}

TEST(CompleteIouTest, EqualsTheFormula) {
  const at::Tensor a = torch::tensor({{10.0, 10.0, 8.0, 4.0}}, torch::kDouble);
  const at::Tensor b = torch::tensor({{12.0, 11.0, 4.0, 4.0}}, torch::kDouble);
  // Overlap 4 x 3 = 12, union 32 + 16 - 12 = 36; the hull is 8 x 5, its diagonal squared 89; the
  // centres lie sqrt 5 apart.
  const double iou = 12.0 / 36.0;
  const double v =
      4.0 / (std::numbers::pi * std::numbers::pi) * std::pow(std::atan(1.0) - std::atan(2.0), 2.0);
  const double expected = iou - 5.0 / 89.0 - v / (v - iou + 1.0) * v;
  EXPECT_NEAR(complete_iou(a, b).item<double>(), expected, 1e-6);
  EXPECT_NEAR(complete_iou(a, a).item<double>(), 1.0, 1e-6);
  const at::Tensor far = torch::tensor({{100.0, 100.0, 4.0, 4.0}}, torch::kDouble);
  EXPECT_LT(complete_iou(a, far).item<double>(), -0.5);
}

DetectorMaps zero_maps(int64_t classes) {
  DetectorMaps maps;
  for (size_t level = 0; level < kDetectorLevels; ++level) {
    const int64_t cells = 64 / kDetectorLevelList[level].stride;
    maps[level] = torch::zeros({1, 3 * (5 + classes), cells, cells}).requires_grad_();
  }
  return maps;
}

// All outputs 0: scores 0.5, every cross entropy ln 2.
TEST(DetectionLossTest, WithoutObjectsOnlyObjectnessCounts) {
  const auto loss = detection_loss(zero_maps(1), {}, {});
  const double expected = (4.0 + 1.0 + 0.4) * std::log(2.0) * 0.01;  // (64 / 640)^2
  EXPECT_NEAR(loss.objectness.item<double>(), expected, 1e-6);
  EXPECT_EQ(loss.box.item<double>(), 0.0);
  EXPECT_NEAR(loss.total.item<double>(), expected, 1e-6);
}

TEST(DetectionLossTest, AnObjectHasABoxAndAClassTerm) {
  const std::vector<DetectionTarget> targets{
      {.label = 1, .cx = 20.0, .cy = 20.0, .width = 33.0, .height = 23.0}};
  auto maps = zero_maps(2);
  const auto loss = detection_loss(maps, targets, {});
  EXPECT_GT(loss.box.item<double>(), 0.0);
  EXPECT_NEAR(loss.classification.item<double>(), 0.5 * 2.0 / 80.0 * 3.0 * std::log(2.0), 1e-6);
  loss.total.backward();
  for (const auto& map : maps) EXPECT_TRUE(map.grad().isfinite().all().item<bool>());
}

TEST(DetectionLossTest, IgnoredCellsNeedNotBeEmpty) {
  auto maps = zero_maps(1);
  at::Tensor ignore = torch::zeros({1, 64, 64}, torch::kBool);
  ignore.slice(1, 0, 32).fill_(true);
  detection_loss(maps, {}, ignore).total.backward();
  const at::Tensor gradient = maps[0].grad().view({3, 6, 8, 8}).select(1, 4);
  EXPECT_EQ(gradient.slice(1, 0, 4).abs().max().item<double>(), 0.0);
  EXPECT_GT(gradient.slice(1, 4).abs().min().item<double>(), 0.0);
}

TEST(DetectionLossTest, FallsWhenOneImageIsLearnt) {
  const auto network = make_detector({{"width", 0.125}, {"previous", false}}, 3);
  const at::Tensor image = noise({2, 3, 64, 64});
  const std::vector<DetectionTarget> targets{
      {.image = 0, .cx = 30.0, .cy = 40.0, .width = 40.0, .height = 36.0}};
  torch::optim::Adam optimiser(network->parameters(), torch::optim::AdamOptions(0.01));
  double first = 0.0, last = 0.0;
  for (int step = 0; step < 40; ++step) {
    optimiser.zero_grad();
    const auto loss = detection_loss(network->forward(image), targets, {}).total;
    loss.backward();
    optimiser.step();
    last = loss.item<double>();
    if (step == 0) first = last;
  }
  EXPECT_LT(last, 0.7 * first);
}

}  // namespace
}  // namespace voxloom::models::wire
