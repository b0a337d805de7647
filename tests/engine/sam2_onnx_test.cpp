#include "voxloom/engine/sam2_onnx.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"

#include "engine_fixture.h"

namespace voxloom::engine {
namespace {

namespace sam2 = models::sam2;
using sam2::golden;
using sam2::max_difference;

constexpr double kGoldenTolerance = 1e-4;

// The decoder's four masks and pointers on features of `network`, by OpenVINO.
class Decoder {
 public:
  explicit Decoder(const StandIn& stand_in)
      : options_(stand_in.options),
        network_({.name = "decoder",
                  .key = "test",
                  .outputs = {"masks", "ious", "object_score", "pointers"},
                  .graph = [&] { return sam2_decoder_graph(stand_in.options, stand_in.state); },
                  .folder = {}},
                 Precision::kF32,
                 2,
                 FileCache({})) {}

  std::map<std::string, at::Tensor> operator()(const at::Tensor& f2,
                                               const sam2::SliceFeatures& features,
                                               const at::Tensor& points,
                                               const at::Tensor& labels,
                                               const at::Tensor& mask = {}) {
    const int64_t fine = options_.mask_size();
    std::vector<std::pair<std::string, at::Tensor>> inputs{
        {"f2", f2.contiguous()},
        {"point_coords", points.contiguous()},
        {"point_labels", labels.to(torch::kFloat).contiguous()},
        // NaN where it must be ignored.
        {"mask_input", mask.defined() ? mask : torch::full({1, 1, fine, fine}, NAN)},
        {"has_mask_input", torch::full({1}, mask.defined() ? 1.0F : 0.0F)}};
    if (options_.high_res_features) {
      inputs.emplace_back("f0", features.f0.contiguous());
      inputs.emplace_back("f1", features.f1.contiguous());
    }
    std::map<std::string, at::Tensor> outputs;
    for (auto& [name, value] : network_.run(inputs)) outputs[name] = value;
    return outputs;
  }

 private:
  const sam2::Sam2Options options_;
  OpenvinoNetwork network_;
};

class Sam2OnnxGolden : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  }

  sam2::SliceFeatures features(EngineKind engine) const {
    const auto encoder = make_slice_encoder(
        stand_in_.source(), {.engine = engine, .precision = Precision::kF32}, FileCache({}));
    return encoder->encode(sam2::golden_images().slice(0, 0, 1).contiguous());
  }

  const torch::NoGradGuard no_grad_;
  const StandIn stand_in_{sam2::shrunken_options()};
};

TEST_F(Sam2OnnxGolden, EncodersGiveTheOriginalFeatures) {
  for (const EngineKind engine : {EngineKind::kTorch, EngineKind::kOpenvino}) {
    SCOPED_TRACE(std::string(engine_name(engine)));
    const sam2::SliceFeatures found = features(engine);
    EXPECT_LT(max_difference(found.f0, golden("forward_image.0")), kGoldenTolerance);
    EXPECT_LT(max_difference(found.f1, golden("forward_image.1")), kGoldenTolerance);
    EXPECT_LT(max_difference(found.f2, golden("forward_image.2")), kGoldenTolerance);
  }
}

TEST_F(Sam2OnnxGolden, DecoderGivesTheOriginalMasksAndPointers) {
  struct Case {
    std::string name;
    std::vector<float> points, labels;
    bool multimask;
  };
  const std::vector<Case> cases{{"box", {28, 19, 85, 90}, {2, 3}, false},
                                {"pt1", {42.5, 51.25}, {1}, true},
                                {"pts", {42.5, 51.25, 70, 25}, {1, 0}, false},
                                {"none", {0, 0}, {-1}, true},
                                {"box_prevmask", {28, 19, 85, 90}, {2, 3}, false}};
  const sam2::SliceFeatures found = features(EngineKind::kOpenvino);
  const at::Tensor f2 = found.f2 + stand_in_.network->no_mem_embed.view({1, -1, 1, 1});
  const at::Tensor previous = 8.0 * sam2::keyed_uniform("input.prev_logits", {1, 1, 32, 32});
  Decoder decoder(stand_in_);
  for (const Case& item : cases) {
    SCOPED_TRACE(item.name);
    const auto count = static_cast<int64_t>(item.labels.size());
    const auto out = decoder(f2,
                             found,
                             torch::tensor(item.points).view({1, count, 2}),
                             torch::tensor(item.labels).view({1, count}),
                             item.name == "box_prevmask" ? previous : at::Tensor());
    const std::string prefix = "heads." + item.name + ".";
    const at::Tensor masks = out.at("masks"), ious = out.at("ious");
    // The choice that stays with the caller: in these cases the single mask is unstable, so the
    // best of three answers everywhere; its pointer is that of the mask asked for.
    const int64_t best = ious.slice(1, 1).argmax(1).item<int64_t>() + 1;
    EXPECT_LT(max_difference(masks.slice(1, best, best + 1), golden(prefix + "low")),
              kGoldenTolerance);
    const int64_t token = item.multimask ? best : 0;
    EXPECT_LT(max_difference(out.at("pointers").select(1, token), golden(prefix + "ptr")),
              kGoldenTolerance);
    if (item.name == "box_prevmask") continue;
    EXPECT_LT(max_difference(out.at("object_score"), golden(prefix + "score")), kGoldenTolerance);
    const at::Tensor expected_ious =
        item.multimask ? ious.slice(1, 1) : ious.slice(1, best, best + 1);
    EXPECT_LT(max_difference(expected_ious, golden(prefix + "ious")), kGoldenTolerance);
    if (item.multimask) {
      EXPECT_LT(max_difference(masks.slice(1, 1), golden(prefix + "low_multi")), kGoldenTolerance);
    }
  }
}

TEST_F(Sam2OnnxGolden, MemoryEncoderGivesTheOriginalMaps) {
  sam2::Sam2 network = stand_in_.network;
  network->set_memory_encoder(make_memory_encoder(
      stand_in_.source(),
      {.engine = EngineKind::kOpenvino, .precision = Precision::kF32, .threads = 2},
      FileCache({})));
  const at::Tensor f2 = features(EngineKind::kTorch).f2;
  const at::Tensor logits = 6.0 * sam2::keyed_uniform("input.high_logits", {1, 1, 128, 128});
  const at::Tensor present = torch::full({1, 1}, 5.0F);
  EXPECT_LT(max_difference(network->encode_memory(f2, logits, present, true),
                           golden("memory_encoder.binarize1")),
            kGoldenTolerance);
  EXPECT_LT(max_difference(network->encode_memory(f2, logits, present, false),
                           golden("memory_encoder.binarize0")),
            kGoldenTolerance);
  EXPECT_LT(max_difference(network->encode_memory(f2, logits, -present, false),
                           golden("memory_encoder.absent")),
            kGoldenTolerance);
}

TEST(EfficientTamGoldenOnnx, EncodersGiveTheOriginalFeatures) {
  if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  const torch::NoGradGuard no_grad;
  const StandIn stand_in(sam2::shrunken_efficienttam_options());
  const at::Tensor image = sam2::golden_images().slice(0, 0, 1).contiguous();
  for (const EngineKind engine : {EngineKind::kTorch, EngineKind::kOpenvino}) {
    SCOPED_TRACE(std::string(engine_name(engine)));
    const auto encoder = make_slice_encoder(
        stand_in.source(), {.engine = engine, .precision = Precision::kF32}, FileCache({}));
    const sam2::SliceFeatures found = encoder->encode(image);
    EXPECT_LT(max_difference(found.f2, golden("efficienttam/small.npz", "f2")), kGoldenTolerance);
    EXPECT_FALSE(found.f0.defined());
  }
}

TEST(EfficientTamGoldenOnnx, DecoderGivesTheOriginalMasks) {
  if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  const torch::NoGradGuard no_grad;
  const StandIn stand_in(sam2::shrunken_efficienttam_options());
  const at::Tensor f2 = golden("efficienttam/small.npz", "f2");
  Decoder decoder(stand_in);
  const auto out = decoder(f2 + stand_in.network->no_mem_embed.view({1, -1, 1, 1}),
                           {},
                           torch::tensor({42.5F, 51.25F}).view({1, 1, 2}),
                           torch::ones({1, 1}));
  EXPECT_LT(max_difference(out.at("masks").slice(1, 1),
                           golden("efficienttam/small.npz", "heads.pt1.low_multi")),
            kGoldenTolerance);
  EXPECT_LT(max_difference(out.at("ious").slice(1, 1),
                           golden("efficienttam/small.npz", "heads.pt1.ious")),
            kGoldenTolerance);
}

class Sam2OnnxVariant : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  }
};

// Full size: the graph is small enough to compile fast, and both engines agree. Features reach 20,
// so 1e-4 is 5e-6 of their range. The networks at 1024 take up to a minute and 4 GB.
TEST_P(Sam2OnnxVariant, AgreesWithLibtorchAtFullSize) {
  const bool large = sam2::variant_options(GetParam()).image_size > 512;
  if (large && std::getenv("VOXLOOM_TEST_LARGE") == nullptr) {
    GTEST_SKIP() << "a large network: set VOXLOOM_TEST_LARGE=1";
  }
  const torch::NoGradGuard no_grad;
  StandIn stand_in(sam2::variant_options(GetParam()));
  const at::Tensor image = stand_in_image(stand_in.options);
  const auto encode = [&](EngineKind engine) {
    return make_slice_encoder(
               stand_in.source(), {.engine = engine, .precision = Precision::kF32}, FileCache({}))
        ->encode(image);
  };
  const sam2::SliceFeatures expected = encode(EngineKind::kTorch);
  const sam2::SliceFeatures found = encode(EngineKind::kOpenvino);
  EXPECT_LT(max_difference(found.f2, expected.f2), 1e-4);
  EXPECT_EQ(found.f0.defined(), stand_in.options.high_res_features);
  if (stand_in.options.high_res_features) {
    EXPECT_LT(max_difference(found.f0, expected.f0), 1e-4);
    EXPECT_LT(max_difference(found.f1, expected.f1), 1e-4);
  }

  const sam2::Sam2Options& options = stand_in.options;
  const auto& stages = options.hiera.stages;
  const int64_t blocks = options.trunk == sam2::TrunkKind::kVit
                             ? options.vit.depth
                             : std::accumulate(stages.begin(), stages.end(), int64_t{0});
  EXPECT_LT(sam2_encoder_graph(stand_in.options, stand_in.state).node_count(),
            static_cast<size_t>(43 * blocks));
  Decoder decoder(stand_in);
  const at::Tensor points = torch::tensor({100.0F, 120.0F, 300.5F, 260.0F, 180.0F, 200.0F});
  const at::Tensor labels = torch::tensor({2.0F, 3.0F, 1.0F}).view({1, 3});
  const at::Tensor f2 = stand_in.network->without_memory(expected.f2);
  const auto out = decoder(f2, expected, points.view({1, 3, 2}), labels);
  const sam2::HeadsOutput heads = stand_in.network->heads(
      f2,
      expected,
      {.points = points.view({1, 3, 2}), .labels = labels.to(torch::kLong), .mask = {}},
      true,
      {.enabled = false});
  EXPECT_LT(max_difference(out.at("masks").slice(1, 1), heads.masks), 2e-4);
  EXPECT_LT(max_difference(out.at("ious").slice(1, 1), heads.ious), 1e-4);
  EXPECT_LT(max_difference(out.at("object_score"), heads.score), 1e-4);

  const int64_t size = options.image_size;
  const at::Tensor mask = sam2::resize_logits(heads.low, size, size).sigmoid() * 20.0 - 10.0;
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (precision == Precision::kBf16 && !has_fast_bf16()) continue;
    const auto encode_memory =
        make_memory_encoder(stand_in.source(),
                            {.engine = EngineKind::kOpenvino, .precision = precision, .threads = 2},
                            FileCache({}));
    const at::Tensor expected_map = stand_in.network->memory_encoder(expected.f2, mask);
    const double error = relative_error(encode_memory(expected.f2, mask), expected_map);
    EXPECT_LT(error, precision == Precision::kF32 ? 1e-5 : 0.02);
  }
}

INSTANTIATE_TEST_SUITE_P(Published,
                         Sam2OnnxVariant,
                         testing::Values("medsam2_t512",
                                         "efficienttam_ti_512",
                                         "efficienttam_s_512",
                                         "sam2.1_t",
                                         "sam2.1_s",
                                         "sam2.1_b+",
                                         "sam2.1_l"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           std::replace(name.begin(), name.end(), '+', 'p');
                           return name;
                         });

// A regression test: OpenVINO's fused bf16 attention is wrong where there are as many queries as
// heads, which in this network made an error of 12 % in f2; rounding alone makes 1 %.
TEST(Sam2OnnxPrecisionTest, Bf16StaysCloseToF32OnEveryLevel) {
  if (!has_fast_bf16()) GTEST_SKIP() << "this processor has no bf16 arithmetic";
  const torch::NoGradGuard no_grad;
  const StandIn stand_in(sam2::variant_options("medsam2_t512"));
  const at::Tensor image = stand_in_image(stand_in.options);
  const auto encode = [&](EngineKind engine, Precision precision) {
    return make_slice_encoder(
               stand_in.source(), {.engine = engine, .precision = precision}, FileCache({}))
        ->encode(image);
  };
  const sam2::SliceFeatures exact = encode(EngineKind::kTorch, Precision::kF32);
  for (const EngineKind engine : {EngineKind::kTorch, EngineKind::kOpenvino}) {
    if (engine == EngineKind::kOpenvino && !has_openvino()) continue;
    SCOPED_TRACE(std::string(engine_name(engine)));
    const sam2::SliceFeatures half = encode(engine, Precision::kBf16);
    EXPECT_EQ(half.f2.scalar_type(), at::kFloat);
    const double errors[] = {relative_error(half.f0, exact.f0),
                             relative_error(half.f1, exact.f1),
                             relative_error(half.f2, exact.f2)};
    for (const double error : errors) {
      EXPECT_GT(error, 1e-4) << "bf16 was not used";
      EXPECT_LT(error, 0.02);
    }
  }
}

TEST(Sam2OnnxTest, NamesTheKeyThatIsMissingOrMisshapen) {
  const auto options = sam2::shrunken_options();
  const weights::StateDict whole = sam2::golden_state(options);
  weights::StateDict holed, bent;
  for (const auto& entry : whole.entries()) {
    if (entry.name != "image_encoder.trunk.blocks.3.attn.qkv.weight") {
      holed.add(entry.name, entry.tensor);
    }
    weights::TensorView view = entry.tensor;
    if (entry.name == "sam_mask_decoder.iou_token.weight") view.shape = {64, 1};
    bent.add(entry.name, view);
  }
  using testing::HasSubstr;
  using testing::ThrowsMessage;
  EXPECT_THAT([&] { (void)sam2_encoder_graph(options, holed); },
              ThrowsMessage<Error>(HasSubstr("'image_encoder.trunk.blocks.3.attn.qkv.weight'")));
  EXPECT_THAT([&] { (void)sam2_decoder_graph(options, bent); },
              ThrowsMessage<Error>(HasSubstr("'sam_mask_decoder.iou_token.weight'")));
}

}  // namespace
}  // namespace voxloom::engine
