// The fluoroscopy set: scene, detector, display (guidewire.md 5.2). The order is that of the
// X-rays.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "voxloom/data/artefacts.h"
#include "voxloom/data/augment.h"
#include "voxloom/data/chance.h"
#include "voxloom/dataset/fluoro_noise.h"
#include "voxloom/filters/clahe.h"

namespace voxloom::data {
namespace {

/// Standard deviation of white noise, from a filter that smooth images and edges leave near zero
/// (Immerkaer, Computer Vision and Image Understanding 64, 1996).
double noise_level(const Plane& p) {
  if (p.width < 3 || p.height < 3) return 0.0;
  double sum = 0.0;
  for (int64_t y = 1; y + 1 < p.height; ++y) {
    const float *a = &p.pixels[static_cast<size_t>((y - 1) * p.width)], *b = a + p.width,
                *c = b + p.width;
    float row = 0.0F;
    for (int64_t x = 1; x + 1 < p.width; ++x) {
      row += std::abs(a[x - 1] - 2 * a[x] + a[x + 1] - 2 * b[x - 1] + 4 * b[x] - 2 * b[x + 1] +
                      c[x - 1] - 2 * c[x] + c[x + 1]);
    }
    sum += row;
  }
  return std::sqrt(std::numbers::pi / 2) * sum /
         (6.0 * static_cast<double>((p.width - 2) * (p.height - 2)));
}

/// A lower dose: a share of the noise that is there goes, then quanta are counted anew. How many
/// quanta white is worth comes from the image's own noise, within what fluoroscopy has.
void dose(Plane& plane, Rng& rng, Rng& grain) {
  const double level = noise_level(plane);
  const double mean = statistics(plane).mean;
  const double quanta = std::clamp(mean / std::max(level * level, 1e-9), 200.0, 20000.0);
  const auto white = static_cast<float>(quanta * rng.uniform(0.2, 1.0));
  const auto kept = static_cast<float>(1.0 - rng.uniform(0.0, 0.5));
  const auto read_noise = static_cast<float>(rng.uniform(0.5, 2.0) / 255.0);
  Plane smooth = plane;
  gaussian_blur(smooth, 1.0);
  for (size_t i = 0; i < plane.pixels.size(); ++i) {
    const float v = smooth.pixels[i] + kept * (plane.pixels[i] - smooth.pixels[i]);
    const float counted = dataset::sample_poisson(std::max(0.0F, v) * white, grain);
    plane.pixels[i] = counted / white + read_noise * static_cast<float>(grain.normal());
  }
}

/// Noise of the size of a few grey values whose neighbours hang together.
void correlated_noise(Plane& plane, Rng& rng, Rng& grain) {
  Plane noise{plane.width, plane.height, std::vector<float>(plane.pixels.size())};
  add_noise(noise, 1.0, grain);
  gaussian_blur(noise, rng.uniform(0.5, 1.0));
  const auto scale =
      static_cast<float>(rng.uniform(1.0, 5.0) / 255.0) / std::max(1e-6F, statistics(noise).std);
  for (size_t i = 0; i < noise.pixels.size(); ++i) plane.pixels[i] += scale * noise.pixels[i];
}

void blur(Plane& plane, Rng& rng) {
  if (rng.uniform() < 0.5) {
    gaussian_blur(plane, rng.uniform(0.3, 1.2));
  } else {
    motion_blur(plane, rng.uniform(1.0, 6.0), rng.uniform(0.0, std::numbers::pi));
  }
}

void scatter(Plane& plane, Rng& rng) {
  const auto share = static_cast<float>(rng.uniform(0.0, 0.4));
  Plane haze = plane;
  gaussian_blur(haze, 60.0 * static_cast<double>(std::min(plane.width, plane.height)) / 512.0);
  for (size_t i = 0; i < haze.pixels.size(); ++i) {
    plane.pixels[i] += share * (haze.pixels[i] - plane.pixels[i]);
  }
}

void tone(Plane& plane, Rng& rng) {
  const PlaneStatistics before = statistics(plane);
  const auto contrast = static_cast<float>(rng.uniform(0.6, 1.5));
  const auto offset = static_cast<float>(rng.uniform(-0.15, 0.15));
  for (float& v : plane.pixels) {
    v = std::clamp(before.mean + contrast * (v - before.mean) + offset, 0.0F, 1.0F);
  }
  apply_gamma(plane, rng.uniform(0.6, 1.6), {.mean = 0, .std = 0, .min = 0, .max = 1});
}

/// Either CLAHE or another window of display.
void display(Plane& plane, Rng& rng) {
  clamp(plane, 0.0F, 1.0F);
  if (rng.uniform() < 0.5) {
    filters::ClaheOptions options;
    options.tiles_x = std::min(plane.width, 4 + static_cast<int64_t>(rng.below(5)));
    options.tiles_y = std::min(plane.height, options.tiles_x);
    options.clip_limit = rng.uniform(1.0, 4.0);
    std::vector<uint8_t> bytes(plane.pixels.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<uint8_t>(std::lround(255.0F * plane.pixels[i]));
    }
    filters::clahe(bytes, plane.width, plane.height, options);
    for (size_t i = 0; i < bytes.size(); ++i) {
      plane.pixels[i] = static_cast<float>(bytes[i]) / 255.0F;
    }
    return;
  }
  const auto lo = static_cast<float>(rng.uniform(0.0, 0.15));
  const auto hi = static_cast<float>(rng.uniform(0.85, 1.0));
  for (float& v : plane.pixels) v = std::clamp((v - lo) / (hi - lo), 0.0F, 1.0F);
}

}  // namespace

void fluoroscopy_intensity(std::span<Example> clip, double strength, Rng& rng) {
  const Chance chance{rng, strength};
  // f(plane, own, grain)
  const auto each = [&](const auto& f) {
    for_each_frame(clip, rng, [&](Example& e, Rng& own, Rng& grain) { f(e.image, own, grain); });
  };
  // The scene.
  if (chance(0.2)) each([](Plane& p, Rng& own, Rng&) { add_distractor_curves(p, own); });
  // In the frame that is labelled alone: the others may show what is behind a gap.
  if (chance(0.2)) erase_gaps(clip.front(), rng);
  const bool overlays = chance(0.15);
  const bool text = overlays && rng.uniform() < 0.5;
  if (overlays && !text) each([](Plane& p, Rng& own, Rng&) { add_leads_or_screws(p, own); });
  // The way to and through the detector.
  if (chance(0.2)) each([](Plane& p, Rng& own, Rng&) { blur(p, own); });
  if (chance(0.2)) each([](Plane& p, Rng& own, Rng&) { scatter(p, own); });
  if (chance(0.4)) each(dose);
  if (chance(0.2)) each(correlated_noise);
  // The display.
  if (chance(0.4)) each([](Plane& p, Rng& own, Rng&) { tone(p, own); });
  if (chance(0.2)) each([](Plane& p, Rng& own, Rng&) { display(p, own); });
  if (chance(0.15)) {
    for_each_frame(clip, rng, [](Example& e, Rng& own, Rng&) { add_collimator(e, own); });
  }
  if (text) each([](Plane& p, Rng& own, Rng&) { add_text(p, own); });
  if (chance(0.05)) {
    for (auto& frame : clip) {
      for (float& v : frame.image.pixels) v = 1.0F - v;
    }
  }
}

}  // namespace voxloom::data
