#include "voxloom/infer_ml/cascade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"
#include "voxloom/infer_ml/cascade_package.h"
#include "voxloom/infer_ml/detection.h"
#include "voxloom/models/wire/wire_input.h"
#include "voxloom/tensor/load.h"

#include "../dataset/dataset_fixtures.h"

namespace voxloom::infer_ml {
namespace {

using dataset::testing::TempFolder;
using infer::TestAugmentation;
using nlohmann::ordered_json;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr int64_t kSide = 128;
const ordered_json kDetector{{"width", 0.125}};
const ordered_json kSegmenter{{"widths", "8,8,16"}, {"sigmas", "1,2"}};

image::Frame noise_frame(uint64_t seed, int64_t side = kSide) {
  image::Frame frame{.width = side, .height = side, .pixels = {}};
  Rng rng(seed);
  for (int64_t i = 0; i < side * side; ++i) {
    frame.pixels.push_back(static_cast<float>(rng.uniform()));
  }
  return frame;
}

weights::PackageInfo info_of(const std::string& architecture,
                             const ordered_json& options,
                             int64_t crop_side = 0,
                             bool bright = false) {
  return {.task = "wire",
          .architecture = architecture,
          .variant = architecture,
          .options = options,
          .preprocessing = wire_preprocessing_to_json({.classes = {"guidewire"},
                                                       .threshold = 0.4,
                                                       .bright_object = bright,
                                                       .crop_side = crop_side}),
          .labels = {{.value = 1, .name = "guidewire"}},
          .licence = "MIT",
          .created_by = "test"};
}

/// A detector that answers every frame with boxes larger than the frame, of this confidence.
std::string write_detector(const TempFolder& folder, double confidence, bool bright = false) {
  const torch::NoGradGuard no_grad;
  const auto network = models::wire::make_detector(kDetector, 1);
  for (auto& parameter : network->named_parameters()) {
    if (!parameter.key().starts_with("head.")) continue;
    parameter.value().zero_();
    if (!parameter.key().ends_with("bias")) continue;
    const auto bias = parameter.value().view({3, 6});
    bias.select(1, 4).fill_(-20.0);
    bias.select(1, 5).fill_(20.0);
    if (parameter.key() == "head.2.bias") {
      bias[2][4] = std::log(confidence / (1.0 - confidence));
    }
  }
  const auto path = folder / (bright ? "bright" : "detector");
  weights::write_package(path,
                         info_of("detector", kDetector, 0, bright),
                         tensor::state_dict(*network),
                         "# detector\n",
                         Overwrite::kReplace);
  return path.string();
}

std::string write_segmenter(const TempFolder& folder, int64_t crop_side = kSide) {
  const auto network = models::wire::make_wire_network("hessian-net", kSegmenter, 2);
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : network->named_parameters()) {
      if (parameter.key() == "head.weight") parameter.value().mul_(50.0);
    }
  }
  const auto path = folder / "segmenter";
  weights::write_package(path,
                         info_of("hessian-net", kSegmenter, crop_side),
                         tensor::state_dict(*network),
                         "# segmenter\n",
                         Overwrite::kReplace);
  return path.string();
}

std::string write_cascade(const TempFolder& folder, double confidence, int64_t crop_side = kSide) {
  infer::CascadeOptions options;
  options.detector = write_detector(folder, confidence);
  options.segmenter = write_segmenter(folder, crop_side);
  options.output = (folder / "cascade").string();
  options.force = true;
  return make_cascade_package(options).folder.string();
}

infer::RuntimeOptions runtime(const std::string& engine) {
  infer::RuntimeOptions options;
  options.engine = engine;
  options.precision = "f32";
  return options;
}

class CascadeTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "openvino" && !engine::has_openvino()) GTEST_SKIP() << "no OpenVINO";
  }
  TempFolder folder_;
};

// A box over the whole frame and crops of the frame's size: the cascade is its segmenter.
TEST_P(CascadeTest, ABoxOverTheFrameGivesWhatTheSegmenterGives) {
  const auto cascade = infer_ml::make_wire_segmenter(
      write_cascade(folder_, 0.9), runtime(GetParam()), TestAugmentation::kNone);
  const auto segmenter = infer_ml::make_wire_segmenter(
      (folder_ / "segmenter").string(), runtime(GetParam()), TestAugmentation::kNone);
  EXPECT_EQ(cascade->info().architecture, "cascade");
  EXPECT_EQ(cascade->info().threshold, 0.4);
  const auto frame = noise_frame(5);
  std::vector<float> got, expected;
  cascade->segment(frame, got);
  segmenter->segment(frame, expected);
  ASSERT_EQ(got.size(), expected.size());
  double spread = 0.0;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], 1e-5) << i;
    spread = std::max(spread, std::abs(static_cast<double>(expected[i] - expected[0])));
  }
  EXPECT_GT(spread, 1e-3);  // a constant would be no test
}

TEST_P(CascadeTest, WithoutABoxNothingIsFound) {
  const auto cascade = infer_ml::make_wire_segmenter(
      write_cascade(folder_, 0.05), runtime(GetParam()), TestAugmentation::kNone);
  std::vector<float> got;
  cascade->segment(noise_frame(5), got);
  ASSERT_EQ(got.size(), static_cast<size_t>(kSide * kSide));
  EXPECT_EQ(*std::max_element(got.begin(), got.end()), 0.0F);
}

// Frames of another size begin a new stream, and every size is a network of its own.
TEST_P(CascadeTest, TakesFramesOfAnySize) {
  const auto cascade = infer_ml::make_wire_segmenter(
      write_cascade(folder_, 0.9, 64), runtime(GetParam()), TestAugmentation::kMirror);
  std::vector<float> got;
  for (const int64_t side : {100, 131, 400}) {
    cascade->segment(noise_frame(5, side), got);
    EXPECT_EQ(got.size(), static_cast<size_t>(side * side));
    EXPECT_GT(*std::max_element(got.begin(), got.end()), 0.0F);
  }
}

TEST_P(CascadeTest, TheDetectorSeesTheFrameBefore) {
  const auto network = models::wire::make_detector(kDetector, 3);
  network->eval();
  {
    const torch::NoGradGuard no_grad;  // Scores that differ from cell to cell.
    for (auto& parameter : network->named_parameters()) {
      const bool head = parameter.key().starts_with("head.") && parameter.value().dim() == 4;
      if (head) parameter.value().mul_(20.0);
    }
  }
  const auto state = std::make_shared<weights::StateDict>(tensor::state_dict(*network));
  StreamDetector stream(network,
                        kDetector,
                        state,
                        "cascade-test",
                        engine::resolve({.engine = engine::parse_engine(GetParam()),
                                         .precision = engine::Precision::kF32},
                                        false));
  const torch::InferenceMode guard;
  const infer::BoxTrackRule rule{.min_confidence = 0.001, .nms_iou = 1.0};
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(4);
  const auto a = torch::rand({1, 1, 64, 64}, generator), b = torch::rand({1, 1, 64, 64}, generator);
  const auto clip = [](const std::vector<at::Tensor>& frames) {
    return models::wire::normalise(at::cat(frames, 1));
  };
  const auto expected = [&](const at::Tensor& now, const at::Tensor& before) {
    const auto raw = network->detect(network->features(now), network->features(before));
    return boxes_of_maps({raw.begin(), raw.end()}, 1, rule);
  };
  const auto equal = [](const std::vector<infer::WireBox>& x,
                        const std::vector<infer::WireBox>& y) {
    constexpr size_t kSurest = 10;
    ASSERT_GE(x.size(), kSurest);
    ASSERT_GE(y.size(), kSurest);
    for (size_t i = 0; i < kSurest; ++i) EXPECT_NEAR(x[i].confidence, y[i].confidence, 1e-5);
  };
  const auto first = clip({a, a, a}), second = clip({b, a, a});
  equal(stream.detect(a, rule), expected(first, first));
  equal(stream.detect(b, rule), expected(second, first));
  EXPECT_GT(
      std::abs(expected(second, second)[0].confidence - expected(second, first)[0].confidence),
      1e-4);
  stream.reset();
  equal(stream.detect(a, rule), expected(first, first));
}

INSTANTIATE_TEST_SUITE_P(Engines,
                         CascadeTest,
                         testing::Values("torch", "openvino"),
                         [](const auto& test) { return test.param; });

TEST(CascadePackageTest, HoldsBothNetworksAndTheRules) {
  const TempFolder folder;
  const auto package = weights::read_package(write_cascade(folder, 0.9));
  EXPECT_EQ(package.info.licence, "MIT");
  const auto parts = read_cascade(package);
  EXPECT_EQ(parts.segmenter_name, "hessian-net");
  EXPECT_EQ(parts.rules.crops.side, kSide);  // the side that the segmenter was trained on
  EXPECT_TRUE(weights::verify_package(package).intact);
  EXPECT_THAT(read_text_file(package.folder / weights::kCardFile), HasSubstr("# segmenter"));
}

TEST(CascadePackageTest, NamesPartsThatDoNotFit) {
  const TempFolder folder;
  infer::CascadeOptions options;
  options.detector = write_detector(folder, 0.9);
  options.segmenter = write_segmenter(folder);
  options.output = (folder / "out").string();
  auto swapped = options;
  std::swap(swapped.detector, swapped.segmenter);
  EXPECT_THAT([&] { make_cascade_package(swapped); },
              ThrowsMessage<Error>(HasSubstr("must be a detector, got hessian-net")));
  auto twice = options;
  twice.segmenter = options.detector;
  EXPECT_THAT([&] { make_cascade_package(twice); },
              ThrowsMessage<Error>(HasSubstr("must give a mask, got a detector")));
  auto bright = options;
  bright.detector = write_detector(folder, 0.9, true);
  EXPECT_THAT([&] { make_cascade_package(bright); },
              ThrowsMessage<Error>(HasSubstr("both for bright objects, got bright and dark")));
  EXPECT_THAT(
      [&] {
        (void)infer_ml::make_wire_segmenter(
            options.detector, runtime("torch"), TestAugmentation::kNone);
      },
      ThrowsMessage<Error>(HasSubstr("can't segment alone")));
  make_cascade_package(options);
  EXPECT_THAT([&] { make_cascade_package(options); },
              ThrowsMessage<Error>(HasSubstr("use --force to overwrite")));
}

}  // namespace
}  // namespace voxloom::infer_ml
