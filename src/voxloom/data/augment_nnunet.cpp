// nnU-Net's default intensity augmentations, in its order.
#include <algorithm>
#include <cmath>

#include "voxloom/data/augment.h"
#include "voxloom/data/chance.h"

namespace voxloom::data {
namespace {

/// Shrinks to `zoom` by nearest pixels and enlarges by cubic convolution.
void low_resolution(Plane& plane, double zoom) {
  const auto small_side = [zoom](int64_t n) {
    return std::max<int64_t>(1, std::lround(zoom * static_cast<double>(n)));
  };
  const int64_t w = small_side(plane.width), h = small_side(plane.height);
  const double step_x = static_cast<double>(plane.width) / static_cast<double>(w);
  const double step_y = static_cast<double>(plane.height) / static_cast<double>(h);
  Plane small{w, h, std::vector<float>(static_cast<size_t>(w * h))};
  for (int64_t y = 0; y < h; ++y) {
    const auto sy = static_cast<int64_t>((static_cast<double>(y) + 0.5) * step_y);
    for (int64_t x = 0; x < w; ++x) {
      const auto sx = static_cast<int64_t>((static_cast<double>(x) + 0.5) * step_x);
      small.at(x, y) = plane.at(std::min(sx, plane.width - 1), std::min(sy, plane.height - 1));
    }
  }
  resize_cubic(small, plane);
}

void brightness(Plane& plane, double factor) {
  for (float& v : plane.pixels) v *= static_cast<float>(factor);
}

/// About the mean, range kept.
void contrast(Plane& plane, double factor) {
  const PlaneStatistics s = statistics(plane);
  for (float& v : plane.pixels) {
    v = std::clamp(s.mean + static_cast<float>(factor) * (v - s.mean), s.min, s.max);
  }
}

void gamma(Plane& plane, double exponent, bool negative) {
  if (negative) {
    for (float& v : plane.pixels) v = 1.0F - v;
  }
  const PlaneStatistics before = statistics(plane);
  apply_gamma(plane, exponent, before);
  const PlaneStatistics after = statistics(plane);
  const float scale = after.std > 1e-7F ? before.std / after.std : 1.0F;
  for (float& v : plane.pixels) v = before.mean + scale * (v - after.mean);
  if (negative) {
    for (float& v : plane.pixels) v = 1.0F - v;
  }
}

}  // namespace

void nnunet_intensity(std::span<Example> clip, double strength, Rng& rng) {
  const Chance chance{rng, strength};
  // f(plane, own, grain)
  const auto each = [&](const auto& f) {
    for_each_frame(clip, rng, [&](Example& e, Rng& own, Rng& grain) { f(e.image, own, grain); });
  };
  if (chance(0.1)) {
    each([](Plane& p, Rng& own, Rng& grain) {
      add_noise(p, own.uniform(0.0, 0.1) * statistics(p).std, grain);
    });
  }
  if (chance(0.2 * 0.5)) {
    each([](Plane& p, Rng& own, Rng&) { gaussian_blur(p, own.uniform(0.5, 1.0)); });
  }
  if (chance(0.15)) {
    each([](Plane& p, Rng& own, Rng&) { brightness(p, own.uniform(0.75, 1.25)); });
  }
  if (chance(0.15)) {
    each([](Plane& p, Rng& own, Rng&) { contrast(p, around_one(own, 0.75, 1.25)); });
  }
  if (chance(0.25 * 0.5)) {
    each([](Plane& p, Rng& own, Rng&) { low_resolution(p, own.uniform(0.5, 1.0)); });
  }
  for (const bool negative : {true, false}) {
    if (!chance(negative ? 0.1 : 0.3)) continue;
    each([&](Plane& p, Rng& own, Rng&) { gamma(p, around_one(own, 0.7, 1.5), negative); });
  }
}

}  // namespace voxloom::data
