#include "voxloom/nn/topology_losses.h"

#include <cmath>

#include <ATen/ATen.h>

#include "voxloom/image/distance.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/nn/loss_inputs.h"
#include "voxloom/nn/soft_skeleton.h"

namespace voxloom::nn {

namespace {

at::Tensor harmonic(const at::Tensor& a, const at::Tensor& b) {
  return 2.0 * a * b / (a + b);
}

// Distance of every mask pixel to the nearest background pixel that is seen; 0 outside the mask.
// Where there is no background at all: the image's diagonal, farther than any pixel could be.
at::Tensor inner_distance(const at::Tensor& mask, const at::Tensor& observed) {
  const at::Tensor inside = mask.to(at::kCPU, at::kByte).contiguous();
  at::Tensor background = inside == 0;
  if (observed.defined()) background = background.logical_and(observed.to(at::kCPU));
  const at::Tensor bytes = background.to(at::kByte).contiguous();
  const int64_t height = mask.size(2), width = mask.size(3), planes = mask.size(0) * mask.size(1);
  const auto plane_size = static_cast<size_t>(height * width);
  const float farthest = std::hypot(static_cast<float>(height), static_cast<float>(width));
  at::Tensor result = at::empty(mask.sizes(), at::kFloat);
  for (int64_t plane = 0; plane < planes; ++plane) {
    const auto offset = plane * height * width;
    const std::vector<float> distance = image::distance_to(
        {bytes.const_data_ptr<uint8_t>() + offset, plane_size}, {width, height, 1}, {1, 1, 1});
    const uint8_t* keep = inside.const_data_ptr<uint8_t>() + offset;
    float* out = result.mutable_data_ptr<float>() + offset;
    for (size_t i = 0; i < plane_size; ++i) {
      out[i] = keep[i] != 0 ? std::min(distance[i], farthest) : 0.0F;
    }
  }
  return result.to(mask.device());
}

// Weights of one side of cbDice, none with a gradient: D, R and I of the paper, divided by the
// largest radius of each image.
struct RadiusMaps {
  at::Tensor distance, radius, inverse;
};

RadiusMaps radius_maps(const at::Tensor& mask,
                       const at::Tensor& skeleton,
                       const at::Tensor& observed,
                       at::ScalarType type) {
  const at::Tensor distance = inner_distance(mask, observed).to(type);
  const at::Tensor radius = distance.masked_fill(skeleton.logical_not(), 0.0);
  const at::Tensor largest = radius.amax(at::IntArrayRef{1, 2, 3}, true).clamp_min(1.0);
  // The smallest radius of the map is 0 off the skeleton and so counts as 1.
  const at::Tensor inverse =
      ((largest - radius + 1.0) / largest).masked_fill(skeleton.logical_not(), 0.0);
  return {at::minimum(distance, largest) / largest, radius / largest, inverse};
}

// b c, but a c where only a is there.
at::Tensor combine(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  return at::where((a != 0).logical_and(b == 0), a, b) * c;
}

}  // namespace

at::Tensor cldice_loss(const at::Tensor& p,
                       const at::Tensor& y,
                       const at::Tensor& weight,
                       const ClDiceOptions& options) {
  const FullPrecisionGuard guard;
  const LossInputs in = loss_inputs("cldice loss", p, y, weight);
  const at::Tensor observed = in.observed();
  const at::Tensor skeleton_p = soft_skeleton(in.prediction, options.iterations, observed);
  at::Tensor skeleton_y;
  {
    const at::NoGradGuard no_grad;
    skeleton_y = soft_skeleton(in.target, options.iterations, observed);
  }
  const double s = options.smooth;
  const at::Tensor precision = (in.sum(skeleton_p * in.target) + s) / (in.sum(skeleton_p) + s);
  const at::Tensor sensitivity =
      (in.sum(skeleton_y * in.prediction) + s) / (in.sum(skeleton_y) + s);
  return 1.0 - harmonic(precision, sensitivity);
}

at::Tensor cbdice_loss(const at::Tensor& p,
                       const at::Tensor& y,
                       const at::Tensor& weight,
                       const CbDiceOptions& options) {
  const FullPrecisionGuard guard;
  const LossInputs in = loss_inputs("cbdice loss", p, y, weight);
  const at::Tensor observed = in.observed();
  RadiusMaps of_p, of_y;
  at::Tensor course_p, course_y;
  {
    const at::NoGradGuard no_grad;
    const at::ScalarType type = in.prediction.scalar_type();
    const at::Tensor mask_p = in.prediction > 0.5, mask_y = in.target > 0.5;
    course_p = soft_skeleton(mask_p.to(type), options.iterations, observed);
    course_y = soft_skeleton(mask_y.to(type), options.iterations, observed);
    of_p = radius_maps(mask_p, course_p * in.prediction > 0.5, observed, type);
    of_y = radius_maps(mask_y, course_y > 0.5, observed, type);
  }
  const at::Tensor volume_y = of_y.distance * in.target, radius_y = of_y.radius * in.target,
                   skeleton_y = of_y.inverse * course_y;
  const at::Tensor volume_p = of_p.distance * in.prediction, radius_p = of_p.radius * in.prediction,
                   skeleton_p = of_p.inverse * course_p * in.prediction;
  const double s = options.smooth;
  const at::Tensor precision =
      (in.sum(skeleton_p * volume_y) + s) / (in.sum(combine(radius_p, radius_y, skeleton_p)) + s);
  const at::Tensor sensitivity =
      (in.sum(skeleton_y * volume_p) + s) / (in.sum(combine(radius_y, radius_p, skeleton_y)) + s);
  return -harmonic(precision, sensitivity);
}

at::Tensor target_skeleton(const at::Tensor& y, int64_t iterations, const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  const at::Tensor full = to_full(y);
  const LossInputs in = loss_inputs("target skeleton", full, full, weight);
  const at::Tensor mask = (in.target > 0.5).to(in.target.scalar_type());
  const at::Tensor observed = in.observed();
  const at::Tensor course =
      (soft_skeleton(mask, iterations, observed) > 0.5).to(mask.scalar_type());
  return soft_dilate(course, observed) * mask;
}

at::Tensor skeleton_recall_loss(const at::Tensor& p,
                                const at::Tensor& skeleton,
                                const at::Tensor& weight,
                                double smooth) {
  const FullPrecisionGuard guard;
  const LossInputs in = loss_inputs("skeleton recall loss", p, skeleton, weight);
  return 1.0 - (in.sum(in.target * in.prediction) + smooth) / (in.sum(in.target) + smooth);
}

}  // namespace voxloom::nn
