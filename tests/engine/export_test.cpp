#include "voxloom/engine/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/engine/precision_gate.h"

#include "engine_fixture.h"

namespace voxloom::engine {
namespace {

namespace fs = std::filesystem;
namespace sam2 = models::sam2;
using testing::HasSubstr;
using testing::ThrowsMessage;

weights::Package make_package(const fs::path& folder, const weights::StateDict& state) {
  weights::PackageInfo info;
  info.task = "segment";
  info.architecture = "efficienttam";
  info.variant = "efficienttam_ti_512";
  info.licence = "none: stand-in weights";
  info.preprocessing = {{"mean", {0.485, 0.456, 0.406}}};
  return weights::write_package(folder, info, state, "stand-in", Overwrite::kRefuse);
}

TEST(ExportTest, WritesGraphsAndTheirDescription) {
  const TempFolder folder;
  const auto package = make_package(
      folder.path() / "package", sam2::golden_state(sam2::variant_options("efficienttam_ti_512")));
  const fs::path out = folder.path() / "onnx";
  Progress progress;
  const auto result = export_onnx(package, out, Overwrite::kRefuse, progress);
  for (const char* name : {kEncoderOnnx, kDecoderOnnx, kOnnxJson}) {
    EXPECT_TRUE(fs::is_regular_file(out / name)) << name;
  }
  const auto written = nlohmann::ordered_json::parse(read_text_file(out / kOnnxJson));
  EXPECT_EQ(written.dump(), result.dump());
  EXPECT_EQ(written["weights_sha256"].get<std::string>(), package.info.weights_sha256);
  EXPECT_EQ(written["encoder"]["outputs"].size(), 1U);  // no fine features
  EXPECT_EQ(written["encoder"]["inputs"][0]["shape"].dump(), "[1,3,512,512]");
  EXPECT_EQ(written["decoder"]["inputs"][1]["shape"].dump(), R"([1,"num_points",2])");
  EXPECT_EQ(written["no_mem_embed"].size(), 256U);
  EXPECT_THAT([&] { (void)export_onnx(package, out, Overwrite::kRefuse, progress); },
              ThrowsMessage<Error>(HasSubstr("--force")));
}

TEST(ExportTest, RefusesOtherTasks) {
  const TempFolder folder;
  weights::Package package;
  package.folder = folder.path() / "stager";
  package.info.task = "stage";
  Progress progress;
  EXPECT_THAT([&] { (void)export_onnx(package, folder.path(), Overwrite::kRefuse, progress); },
              ThrowsMessage<Error>(HasSubstr("got task 'stage'")));
}

// An encoder whose features are off by a share of their own size.
class NoisyEncoder final : public SliceEncoder {
 public:
  NoisyEncoder(sam2::Sam2 network, double share)
      : SliceEncoder(EngineKind::kTorch, Precision::kBf16),
        network_(std::move(network)),
        share_(share) {}
  sam2::SliceFeatures encode(const at::Tensor& image) override {
    auto features = network_->encode_image(image);
    for (at::Tensor* map : {&features.f0, &features.f1, &features.f2}) {
      const at::Tensor noise = sam2::keyed_uniform("noise", map->sizes().vec());
      *map = *map + share_ * map->abs().mean() * noise;
    }
    return features;
  }

 private:
  sam2::Sam2 network_;
  double share_;
};

class PrecisionGateTest : public testing::Test {
 protected:
  weights::PrecisionGate measure(double share) const {
    NoisyEncoder exact(stand_in_.network, 0.0), noisy(stand_in_.network, share);
    GateCase item;
    item.height = 100;
    item.width = 90;
    item.key = 1;
    for (int64_t slice = 0; slice < 3; ++slice) {
      item.images.push_back(sam2::golden_images().slice(0, slice, slice + 1).contiguous());
    }
    item.boxes = simulated_boxes(item.images[1], item.height, item.width);
    item.boxes.resize(2);
    Progress silent;
    return measure_precision_gate({stand_in_.network, &exact},
                                  {stand_in_.network, &noisy},
                                  std::vector<GateCase>{item},
                                  silent);
  }

  const torch::NoGradGuard no_grad_;
  const StandIn stand_in_{sam2::shrunken_options()};
};

TEST_F(PrecisionGateTest, EqualRunsPass) {
  const auto gate = measure(0.0);
  EXPECT_EQ(gate.mask_dice, 1.0);
  EXPECT_TRUE(gate.passed);
  EXPECT_EQ(gate.slices, 3);
  EXPECT_FALSE(gate.host.empty());
}

TEST_F(PrecisionGateTest, FeaturesThatAreFarOffFail) {
  const auto gate = measure(3.0);
  EXPECT_LT(gate.mask_dice, kGateDice);
  EXPECT_FALSE(gate.passed);
}

TEST_F(PrecisionGateTest, BoxesLieWithinTheSlice) {
  at::Tensor image = torch::full({1, 3, 128, 128}, -2.0);
  image.slice(2, 32, 96).slice(3, 64, 128).fill_(1.0);
  const auto boxes = simulated_boxes(image, 200, 50);
  ASSERT_EQ(boxes.size(), 6U);
  for (const auto& box : boxes) {
    EXPECT_GE(box[0], 25.0F);  // the bright half begins in the middle
    EXPECT_LE(box[2], 49.0F);
    EXPECT_GE(box[1], 50.0F);
    EXPECT_LE(box[3], 150.0F);
    EXPECT_LT(box[0], box[2]);
    EXPECT_LT(box[1], box[3]);
  }
  EXPECT_EQ(simulated_boxes(torch::zeros({1, 3, 64, 64}), 64, 64).size(), 6U);
}

}  // namespace
}  // namespace voxloom::engine
