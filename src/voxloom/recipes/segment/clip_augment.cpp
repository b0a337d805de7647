#include "voxloom/recipes/segment/clip_augment.h"

#include <cmath>
#include <numbers>

#include <torch/torch.h>

namespace voxloom::recipes::segment {
namespace {

constexpr double kMaxTurn = 25.0, kMaxShear = 20.0;  // degrees
constexpr int64_t kBilinear = 0, kNearest = 1, kZeros = 0;

double radians(double degrees) {
  return degrees * std::numbers::pi / 180.0;
}

/// Where every output pixel comes from, as grid_sampler takes it: [T, S, S, 2].
at::Tensor sampling_grid(double turn, double shear, double aspect, at::IntArrayRef sizes) {
  const double c = std::cos(turn), s = std::sin(turn), k = std::tan(shear);
  // Turn times shear along x, from the square's coordinates to pixels of the original and back.
  const auto theta =
      torch::tensor({{c, (c * k - s) / aspect, 0.0}, {s * aspect, s * k + c, 0.0}}, torch::kDouble);
  return at::affine_grid_generator(theta.unsqueeze(0).expand({sizes[0], 2, 3}), sizes, false);
}

void warp(double aspect, Rng& rng, at::Tensor& images, at::Tensor& masks) {
  const double turn = radians(rng.uniform(-kMaxTurn, kMaxTurn));
  const double shear = radians(rng.uniform(-kMaxShear, kMaxShear));
  const auto grid = sampling_grid(turn, shear, aspect, images.sizes());
  const auto moved = at::grid_sampler(masks, grid.to(masks.scalar_type()), kNearest, kZeros, false);
  if (!moved[0].flatten(1).any(1).all().item<bool>()) return;
  masks = moved;
  const auto fill = torch::tensor({123.0, 116.0, 103.0}, torch::kDouble).view({1, 3, 1, 1});
  images = at::grid_sampler(images - fill, grid, kBilinear, kZeros, false) + fill;
}

/// Factors of brightness and contrast about the mean grey, for images [.., 3, S, S].
void shade(double brightness, double contrast, Rng& rng, at::Tensor images) {
  const double b = rng.uniform(1.0 - brightness, 1.0 + brightness);
  const double c = rng.uniform(1.0 - contrast, 1.0 + contrast);
  images.mul_(b).clamp_(0.0, 255.0);
  images.lerp_(images.mean({-3, -2, -1}, true).expand_as(images), 1.0 - c).clamp_(0.0, 255.0);
}

}  // namespace

void augment_clip(double aspect, Rng& rng, at::Tensor& images, at::Tensor& masks) {
  images = images.to(at::kDouble);
  if (rng.uniform() < 0.5) {
    images = images.flip(3);
    masks = masks.flip(3);
  }
  warp(aspect, rng, images, masks);
  images = images.contiguous();
  shade(0.1, 0.03, rng, images);
  for (int64_t t = 0; t < images.size(0); ++t) shade(0.1, 0.05, rng, images[t]);
}

}  // namespace voxloom::recipes::segment
