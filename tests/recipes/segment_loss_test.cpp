// The losses against their formulas (tests/golden/make_segment_loss.py).
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/npz.h"
#include "voxloom/recipes/segment/losses.h"

namespace voxloom::recipes::segment {
namespace {

class Golden {
 public:
  at::Tensor operator()(const std::string& name) const {
    for (const auto& array : arrays_) {
      if (array.name != name) continue;
      const auto values = array.as<float>();
      return torch::tensor(at::ArrayRef<float>(values.data(), values.size())).view(array.shape);
    }
    throw Error(ErrorCode::kNotFound, "golden array '" + name + "' must exist");
  }

 private:
  std::vector<NamedArray> arrays_ =
      read_npz(std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) + "/segment/mask_loss.npz");
};

void expect_parts(const MaskLossParts& parts, const Golden& golden, const std::string& name) {
  const auto near = [&](const at::Tensor& value, const char* part) {
    const double wanted = golden(name + "." + part).item<double>();
    EXPECT_NEAR(value.item<double>(), wanted, 1e-5 * std::max(1.0, wanted)) << part;
  };
  near(parts.focal, "focal");
  near(parts.dice, "dice");
  near(parts.iou, "iou");
  near(parts.object, "object");
  near(parts.total({}), "total");
}

TEST(SegmentLossTest, ThreeMasksAndOneGiveTheFormulasValues) {
  const Golden golden;
  const auto logits = golden("logits"), ious = golden("ious");
  expect_parts(mask_loss(logits, ious, golden("scores"), golden("truth")), golden, "multi");
  expect_parts(
      mask_loss(logits.narrow(1, 0, 1), ious.narrow(1, 0, 1), golden("scores"), golden("truth")),
      golden,
      "single");
}

TEST(SegmentLossTest, OnlyTheBestMaskOfAPresentObjectGetsAGradient) {
  const Golden golden;
  auto logits = golden("logits").requires_grad_(true);
  auto scores = golden("scores").requires_grad_(true);
  const auto parts = mask_loss(logits, golden("ious"), scores, golden("truth"));
  (20.0 * parts.focal + parts.dice + parts.object).backward();
  const auto touched = logits.grad().abs().flatten(2).sum(2).gt(0).to(torch::kLong).sum(1);
  EXPECT_TRUE(touched.narrow(0, 0, 3).eq(1).all().item<bool>()) << touched;
  EXPECT_EQ(touched[3].item<int64_t>(), 0) << "the absent object";
  EXPECT_TRUE(scores.grad().abs().gt(0).all().item<bool>());
}

TEST(SegmentLossTest, HalfPrecisionIsMeasuredInFloat) {
  const Golden golden;
  const auto parts = mask_loss(
      golden("logits").to(torch::kBFloat16), golden("ious"), golden("scores"), golden("truth"));
  EXPECT_EQ(parts.focal.scalar_type(), torch::kFloat);
  EXPECT_NEAR(parts.dice.item<double>(), golden("multi.dice").item<double>(), 0.01);
}

TEST(SegmentLossTest, ShapesThatDontFitAreNamed) {
  const Golden golden;
  EXPECT_THROW(
      static_cast<void>(mask_loss(
          golden("logits"), golden("ious").narrow(1, 0, 2), golden("scores"), golden("truth"))),
      Error);
}

}  // namespace
}  // namespace voxloom::recipes::segment
