#include "voxloom/nn/losses.h"

#include <utility>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/nn/loss_inputs.h"
#include "voxloom/nn/loss_ranks.h"
#include "voxloom/tensor/view.h"

namespace voxloom::nn {

at::Tensor LossInputs::sum(const at::Tensor& x) const {
  return over_ranks({own_sum(x)}).front();
}

at::Tensor LossInputs::own_sum(const at::Tensor& x) const {
  return weight.defined() ? (x * weight).sum() : x.sum();
}

at::Tensor LossInputs::observed() const {
  return weight.defined() ? weight > 0 : at::Tensor();
}

LossInputs loss_inputs(const char* where,
                       const at::Tensor& prediction,
                       const at::Tensor& target,
                       const at::Tensor& weight) {
  VOXLOOM_CHECK(prediction.dim() == 4 && prediction.is_floating_point(),
                ErrorCode::kInvalidArgument,
                "{}: prediction must be [B, C, H, W] floating point, got {}",
                where,
                tensor::shape_str(prediction));
  VOXLOOM_CHECK(target.sizes() == prediction.sizes(),
                ErrorCode::kInvalidArgument,
                "{}: target must have the prediction's shape {}, got {}",
                where,
                tensor::shape_str(prediction),
                tensor::shape_str(target));
  LossInputs inputs;
  inputs.prediction = to_full(prediction);
  inputs.target = target.to(inputs.prediction.scalar_type());
  if (!weight.defined()) return inputs;
  const bool fits = weight.dim() == 4 && weight.size(0) == prediction.size(0) &&
                    (weight.size(1) == 1 || weight.size(1) == prediction.size(1)) &&
                    weight.size(2) == prediction.size(2) && weight.size(3) == prediction.size(3);
  VOXLOOM_CHECK(fits,
                ErrorCode::kInvalidArgument,
                "{}: weight must have the prediction's shape {} or one channel, got {}",
                where,
                tensor::shape_str(prediction),
                tensor::shape_str(weight));
  inputs.weight = weight.to(inputs.prediction.scalar_type()).expand_as(prediction);
  // What nobody looks at may hold anything, NaN included: 0 * NaN would reach the sum.
  const at::Tensor ignored = inputs.weight <= 0;
  inputs.prediction = inputs.prediction.masked_fill(ignored, 0.0);
  inputs.target = inputs.target.masked_fill(ignored, 0.0);
  return inputs;
}

at::Tensor bce_loss(const at::Tensor& z,
                    const at::Tensor& y,
                    const at::Tensor& weight,
                    const BceOptions& options) {
  const FullPrecisionGuard guard;
  const LossInputs in = loss_inputs("bce loss", z, y, weight);
  VOXLOOM_CHECK(options.pos_weight > 0.0 && options.focal_gamma >= 0.0,
                ErrorCode::kInvalidArgument,
                "bce loss: pos_weight must be positive and focal_gamma not negative, got {} and {}",
                options.pos_weight,
                options.focal_gamma);
  at::Tensor pos_weight;
  if (options.pos_weight != 1.0) {
    pos_weight = at::full({1}, options.pos_weight, in.prediction.options().requires_grad(false));
  }
  at::Tensor loss = at::binary_cross_entropy_with_logits(
      in.prediction, in.target, {}, pos_weight, at::Reduction::None);
  if (options.focal_gamma > 0.0) {
    const at::Tensor p = in.prediction.sigmoid();
    // 1 - p_t; kept above 0 because the power's slope at 0 is infinite for exponents below 1.
    const at::Tensor miss = (in.target * (1.0 - p) + (1.0 - in.target) * p).clamp_min(1e-12);
    loss = loss * miss.pow(options.focal_gamma);
  }
  if (!in.weight.defined()) return loss.mean();
  const auto sums = over_ranks({in.own_sum(loss), in.weight.sum()});
  return sums[0] / sums[1].clamp_min(1e-12);
}

at::Tensor dice_loss(const at::Tensor& p,
                     const at::Tensor& y,
                     const at::Tensor& weight,
                     const DiceOptions& options) {
  const FullPrecisionGuard guard;
  const LossInputs in = loss_inputs("dice loss", p, y, weight);
  const bool whole_batch = options.kind != DiceKind::kPerImage;
  const auto total = [&](const at::Tensor& x) {
    if (whole_batch) return in.own_sum(x);
    return (in.weight.defined() ? x * in.weight : x).sum(at::IntArrayRef{2, 3});
  };
  at::Tensor twice_overlap = 2.0 * total(in.prediction * in.target);
  at::Tensor sizes = total(in.prediction) + total(in.target);
  if (whole_batch) {
    auto sums = over_ranks({twice_overlap, sizes});
    twice_overlap = std::move(sums[0]);
    sizes = std::move(sums[1]);
  }
  const double s = options.smooth;
  if (options.kind == DiceKind::kNnunet) {
    return -(twice_overlap + s) / (sizes + s).clamp_min(1e-8);
  }
  return 1.0 - ((twice_overlap + s) / (sizes + s)).mean();
}

at::Tensor foreground_probability(const at::Tensor& z) {
  const FullPrecisionGuard guard;
  VOXLOOM_CHECK(z.dim() == 4 && z.size(1) > 0,
                ErrorCode::kInvalidArgument,
                "foreground probability: logits must be [B, C, H, W], got {}",
                tensor::shape_str(z));
  const at::Tensor full = to_full(z);
  if (z.size(1) == 1) return full.sigmoid();
  const at::Tensor best = full.narrow(1, 1, z.size(1) - 1).amax(1, true);
  return (best - full.narrow(1, 0, 1)).sigmoid();
}

at::Tensor sharp_sigmoid(const at::Tensor& z, double beta) {
  const FullPrecisionGuard guard;
  return (to_full(z) * beta).sigmoid();
}

}  // namespace voxloom::nn
