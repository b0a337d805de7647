// The published networks at their full size against values written by the original code
// (tests/golden/make_variants.py): the image encoder's maps and a box's answer for one image. The
// larger networks take up to a minute and 3 GB: only with VOXLOOM_TEST_LARGE=1.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include <torch/torch.h>

#include "sam2_fixture.h"

namespace voxloom::models::sam2 {
namespace {

/// As the script: 64 values at fixed places, then the norm of all.
at::Tensor sample(const at::Tensor& values) {
  constexpr int64_t kCount = 64;
  const at::Tensor flat = values.flatten();
  const at::Tensor places = (torch::arange(kCount, torch::kLong) * 2654435761) % flat.numel();
  return torch::cat({flat.index_select(0, places), flat.to(torch::kDouble).norm().view(1)})
      .to(torch::kFloat);
}

class Sam2VariantGolden : public testing::TestWithParam<const char*> {
 protected:
  /// Values reach 20 and the norms 10^4; float32 on both sides.
  static void expect_sample(const at::Tensor& values, const std::string& output) {
    const at::Tensor want = golden("variants/samples.npz", std::string(GetParam()) + "." + output);
    const at::Tensor found = values.numel() > 1 ? sample(values) : values.flatten();
    const double difference =
        max_difference(found.narrow(0, 0, std::min<int64_t>(64, found.numel())),
                       want.narrow(0, 0, std::min<int64_t>(64, want.numel())));
    RecordProperty(output, std::to_string(difference));
    EXPECT_LE(difference, 2e-4) << output;
    const double norm = want[-1].item<double>();
    EXPECT_NEAR(found[-1].item<double>(), norm, 1e-5 * norm) << output;
  }
};

TEST_P(Sam2VariantGolden, EncoderAndBoxGiveTheOriginalValues) {
  const std::string name = GetParam();
  const bool large = name == "sam2.1_s" || name == "sam2.1_b+" || name == "sam2.1_l";
  if (large && std::getenv("VOXLOOM_TEST_LARGE") == nullptr) {
    GTEST_SKIP() << "a large network: set VOXLOOM_TEST_LARGE=1";
  }
  const torch::NoGradGuard no_grad;
  Sam2 model = stand_in_model(variant_options(name));
  const int64_t size = model->options.image_size;
  const SliceFeatures features =
      model->encode_image(2.0 * keyed_uniform("input.image", {1, 3, size, size}));
  if (model->options.high_res_features) {
    expect_sample(features.f0, "f0");
    expect_sample(features.f1, "f1");
  }
  expect_sample(features.f2, "f2");
  const auto edge = static_cast<float>(size);
  const HeadsPrompt box{
      .points =
          torch::tensor({0.2F * edge, 0.15F * edge, 0.65F * edge, 0.7F * edge}).view({1, 2, 2}),
      .labels = torch::tensor({2, 3}, torch::kLong).view({1, 2}),
      .mask = {}};
  const HeadsOutput out =
      model->heads(model->without_memory(features.f2), features, box, false, {});
  expect_sample(out.low, "low");
  expect_sample(out.pointer, "ptr");
  expect_sample(out.iou, "iou");
  expect_sample(out.score, "score");
}

INSTANTIATE_TEST_SUITE_P(Published,
                         Sam2VariantGolden,
                         testing::Values("efficienttam_ti_512",
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

}  // namespace
}  // namespace voxloom::models::sam2
