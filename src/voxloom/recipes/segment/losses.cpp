#include "voxloom/recipes/segment/losses.h"

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/tensor/view.h"

namespace voxloom::recipes::segment {
namespace {

constexpr double kAlpha = 0.25;  // weight of object pixels; 1 - it of the others
constexpr double kGamma = 2.0;

/// [N, M]: means over the pixels. Lin et al. 2017, arXiv:1708.02002.
at::Tensor focal_of(const at::Tensor& z, const at::Tensor& y) {
  const at::Tensor p = z.sigmoid();
  const at::Tensor entropy =
      at::binary_cross_entropy_with_logits(z, y, {}, {}, at::Reduction::None);
  const at::Tensor wrong = p + y - 2.0 * p * y;  // 1 - p_t
  const at::Tensor alpha = (1.0 - kAlpha) + (2.0 * kAlpha - 1.0) * y;
  return (alpha * entropy * wrong.pow(kGamma)).flatten(2).mean(2);
}

at::Tensor dice_of(const at::Tensor& z, const at::Tensor& y) {
  const at::Tensor p = z.sigmoid().flatten(2), t = y.flatten(2);
  return 1.0 - (2.0 * (p * t).sum(2) + 1.0) / (p.sum(2) + t.sum(2) + 1.0);
}

/// The overlap that the masks really have.
at::Tensor overlap_of(const at::Tensor& z, const at::Tensor& y) {
  const at::Tensor mask = z.detach().gt(0).flatten(2), truth = y.gt(0).flatten(2);
  const at::Tensor both = mask.logical_and(truth).sum(2).to(at::kFloat);
  const at::Tensor either = mask.logical_or(truth).sum(2).to(at::kFloat);
  return both / either.clamp_min(1.0);
}

}  // namespace

at::Tensor MaskLossParts::total(const MaskLossWeights& weights) const {
  return weights.focal * focal + weights.dice * dice + weights.iou * iou + weights.object * object;
}

MaskLossParts mask_loss(const at::Tensor& logits,
                        const at::Tensor& overlaps,
                        const at::Tensor& score,
                        const at::Tensor& truth,
                        const MaskLossWeights& weights) {
  VOXLOOM_CHECK(logits.dim() == 4 && truth.dim() == 3 && truth.size(0) == logits.size(0) &&
                    truth.size(1) == logits.size(2) && truth.size(2) == logits.size(3) &&
                    overlaps.dim() == 2 && overlaps.size(0) == logits.size(0) &&
                    overlaps.size(1) == logits.size(1) && score.numel() == logits.size(0),
                ErrorCode::kInvalidArgument,
                "mask loss: must get masks [N, M, S, S], overlaps [N, M], scores [N, 1] and truth "
                "[N, S, S], got {}, {}, {} and {}",
                tensor::shape_str(logits),
                tensor::shape_str(overlaps),
                tensor::shape_str(score),
                tensor::shape_str(truth));
  const nn::FullPrecisionGuard full;
  const auto objects = static_cast<double>(logits.size(0));
  const at::Tensor z = nn::to_full(logits);
  const at::Tensor y = truth.to(z.scalar_type()).unsqueeze(1).expand_as(z);
  const at::Tensor present = truth.flatten(1).gt(0).any(1).to(z.scalar_type());  // [N]

  const at::Tensor focal = focal_of(z, y), dice = dice_of(z, y);  // [N, M]
  const at::Tensor best = (weights.focal * focal + weights.dice * dice).detach().argmin(1, true);
  const at::Tensor difference = (nn::to_full(overlaps) - overlap_of(z, y)).abs().mean(1);
  const auto mean = [&](const at::Tensor& of_object) {
    return (of_object * present).sum() / objects;
  };
  return {.focal = mean(focal.gather(1, best).squeeze(1)),
          .dice = mean(dice.gather(1, best).squeeze(1)),
          .iou = mean(difference),
          .object = at::binary_cross_entropy_with_logits(
                        nn::to_full(score).flatten(), present, {}, {}, at::Reduction::Sum) /
                    objects};
}

}  // namespace voxloom::recipes::segment
