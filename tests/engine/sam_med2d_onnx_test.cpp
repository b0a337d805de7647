// SAM-Med2D as ONNX: names and shapes of the authors' files, and OpenVINO against libtorch and
// arrays of the original code.
#include "voxloom/engine/sam_med2d_onnx.h"

#include <cmath>
#include <cstdlib>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/engine/export.h"

#include "../models/sam_med2d_fixture.h"
#include "engine_fixture.h"

namespace voxloom::engine {
namespace {

namespace med2d = models::sam_med2d;
using models::sam2::max_difference;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr double kTolerance = 1e-4;

OpenvinoNetwork compile(const std::string& name,
                        const std::vector<std::string>& outputs,
                        const std::function<OnnxGraph()>& graph) {
  return {{.name = name, .key = "test", .outputs = outputs, .graph = graph, .folder = {}},
          Precision::kF32,
          2,
          FileCache({})};
}

std::vector<std::string> ports_text(const std::vector<OnnxPort>& ports) {
  std::vector<std::string> list;
  for (const auto& port : ports) {
    std::string text = port.name + " [";
    for (const auto& dim : port.shape) {
      if (text.back() != '[') text += ",";
      const auto* number = std::get_if<int64_t>(&dim);
      text += number != nullptr ? std::to_string(*number) : std::get<std::string>(dim);
    }
    list.push_back(text + "]");
  }
  return list;
}

class SamMed2dOnnx : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  }

  OpenvinoNetwork decoder() const {
    return compile("decoder", {"masks", "iou_predictions", "low_res_masks"}, [this] {
      return sam_med2d_decoder_graph(options_, state_);
    });
  }

  static std::map<std::string, at::Tensor> run(OpenvinoNetwork& network,
                                               const at::Tensor& embedding,
                                               const med2d::PromptTokens& prompt,
                                               const at::Tensor& mask,
                                               float height,
                                               float width) {
    const int64_t fine = 4 * embedding.size(2);
    std::map<std::string, at::Tensor> outputs;
    for (auto& [name, value] :
         network.run({{"image_embeddings", embedding.contiguous()},
                      {"point_coords", prompt.coords},
                      {"point_labels", prompt.labels},
                      // NaN where it must be ignored.
                      {"mask_input",
                       mask.defined() ? mask.contiguous() : torch::full({1, 1, fine, fine}, NAN)},
                      {"has_mask_input", torch::full({1}, mask.defined() ? 1.0F : 0.0F)},
                      {"orig_im_size", torch::tensor({height, width})}})) {
      outputs[name] = value;
    }
    return outputs;
  }

  const torch::NoGradGuard no_grad_;
  const med2d::SamMed2dOptions options_ = med2d::shrunken_options();
  const weights::StateDict state_ = med2d::stand_in_state(options_);
};

TEST_F(SamMed2dOnnx, PortsHaveTheNamesAndShapesOfTheOfficialFiles) {
  const auto encoder = sam_med2d_encoder_graph(options_, state_);
  EXPECT_THAT(ports_text(encoder.inputs()), ElementsAre("input_image [1,3,96,96]"));
  EXPECT_THAT(ports_text(encoder.outputs()), ElementsAre("image_embeddings [1,64,6,6]"));
  const auto decoder = sam_med2d_decoder_graph(options_, state_);
  EXPECT_THAT(ports_text(decoder.inputs()),
              ElementsAre("image_embeddings [1,64,6,6]",
                          "point_coords [1,num_points,2]",
                          "point_labels [1,num_points]",
                          "mask_input [1,1,24,24]",
                          "has_mask_input [1]",
                          "orig_im_size [2]"));
  EXPECT_THAT(
      ports_text(decoder.outputs()),
      ElementsAre(
          "masks [1,4,height,width]", "iou_predictions [1,4]", "low_res_masks [1,4,24,24]"));
}

TEST_F(SamMed2dOnnx, EncoderGivesTheOriginalEmbedding) {
  auto network = compile("encoder", {kSamMed2dEmbedding}, [this] {
    return sam_med2d_encoder_graph(options_, state_);
  });
  const auto image = med2d::stand_in_image().contiguous();
  const at::Tensor found = network.run({{kSamMed2dImage, image}}).front().second;
  EXPECT_LE(max_difference(found, med2d::expected("embedding")), kTolerance);
  auto model = med2d::stand_in_network();
  EXPECT_LE(max_difference(found, model->encode_image(image)), kTolerance);
}

// One compiled network takes 1, 3 and 5 points, a box, both, and masks.
TEST_F(SamMed2dOnnx, DecoderEqualsLibtorchAndTheOriginal) {
  auto network = decoder();
  auto model = med2d::stand_in_network();
  const at::Tensor embedding = med2d::expected("embedding");
  for (const auto& item : med2d::golden_cases()) {
    if (item.name == "mask") continue;  // the graph takes at least one point
    SCOPED_TRACE(item.name);
    const auto prompt = med2d::golden_prompt(item);
    const auto mask = med2d::golden_mask(item);
    const auto found = run(network, embedding, prompt, mask, 70, 130);
    EXPECT_LE(max_difference(found.at("low_res_masks"), med2d::expected(item.name + ".low")),
              kTolerance);
    EXPECT_LE(max_difference(found.at("iou_predictions"), med2d::expected(item.name + ".ious")),
              kTolerance);
    const auto wanted = model->decode(embedding, prompt, mask);
    EXPECT_LE(max_difference(found.at("masks"), med2d::masks_at_size(wanted.low, 96, 70, 130)),
              kTolerance);
  }
}

TEST_F(SamMed2dOnnx, MasksHaveTheSizeOfThePicture) {
  auto network = decoder();
  auto model = med2d::stand_in_network();
  const auto prompt = med2d::golden_prompt(med2d::golden_cases()[0]);
  const auto wanted = model->decode(med2d::expected("embedding"), prompt, {});
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {40, 31}, {96, 96}, {513, 200}}) {
    SCOPED_TRACE(format("{} x {}", height, width));
    const auto found = run(network,
                           med2d::expected("embedding"),
                           prompt,
                           {},
                           static_cast<float>(height),
                           static_cast<float>(width));
    EXPECT_LE(
        max_difference(found.at("masks"), med2d::masks_at_size(wanted.low, 96, height, width)),
        kTolerance);
  }
}

TEST_F(SamMed2dOnnx, PublishedNetworkAtFullSize) {
  if (std::getenv("VOXLOOM_TEST_LARGE") == nullptr) {
    GTEST_SKIP() << "271 M parameters: set VOXLOOM_TEST_LARGE=1 to run it";
  }
  const med2d::SamMed2dOptions options;
  const auto state = med2d::stand_in_state(options);
  const auto image = med2d::stand_in_image(options).contiguous();
  auto model = med2d::load_sam_med2d(options, state, "stand-in", tensor::LoadMode::kAlias);
  auto network = compile(
      "encoder", {kSamMed2dEmbedding}, [&] { return sam_med2d_encoder_graph(options, state); });
  EXPECT_LE(max_difference(network.run({{kSamMed2dImage, image}}).front().second,
                           model->encode_image(image)),
            kTolerance);
}

weights::Package small_package(const std::filesystem::path& folder,
                               const med2d::SamMed2dOptions& options) {
  weights::PackageInfo info;
  info.task = "segment";
  info.architecture = med2d::kArchitecture;
  info.variant = med2d::variant_name(options);
  info.options = med2d::options_to_json(options);
  info.licence = "none: stand-in weights";
  return weights::write_package(
      folder, info, med2d::stand_in_state(options), "stand-in", Overwrite::kRefuse);
}

TEST(SamMed2dExportTest, WritesBothGraphsAndTheirDescription) {
  const TempFolder folder;
  const auto package = small_package(folder.path() / "package", med2d::shrunken_options());
  const auto out = folder.path() / "onnx";
  Progress progress;
  const auto result = export_onnx(package, out, Overwrite::kRefuse, progress);
  for (const char* name : {kEncoderOnnx, kDecoderOnnx, kOnnxJson}) {
    EXPECT_TRUE(std::filesystem::is_regular_file(out / name)) << name;
  }
  EXPECT_EQ(result["opset"].get<int>(), 17);
  EXPECT_EQ(result["image_size"].get<int>(), 96);
  EXPECT_EQ(result["encoder"]["inputs"][0]["name"].get<std::string>(), "input_image");
  EXPECT_EQ(result["decoder"]["outputs"][0]["shape"].dump(), R"([1,4,"height","width"])");
  EXPECT_FALSE(result.contains("no_mem_embed"));
  EXPECT_THAT([&] { (void)export_onnx(package, out, Overwrite::kRefuse, progress); },
              ThrowsMessage<Error>(HasSubstr("--force")));
}

TEST(SamMed2dExportTest, OptionsThatDontFitTheWeightsAreRefused) {
  const TempFolder folder;
  auto package = small_package(folder.path() / "package", med2d::shrunken_options());
  auto wrong = med2d::shrunken_options();
  wrong.decoder_mlp = 128;
  package.info.options = med2d::options_to_json(wrong);
  Progress progress;
  EXPECT_THAT(
      [&] { (void)export_onnx(package, folder.path() / "o", Overwrite::kRefuse, progress); },
      ThrowsMessage<Error>(HasSubstr("mlp.lin1.weight' must be [128, 64], got [96, 64]")));
}

}  // namespace
}  // namespace voxloom::engine
