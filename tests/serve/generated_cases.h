#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"

namespace voxloom::serve::testing_cases {

/// A noisy volume with a bright ball: one to annotate.
struct Case {
  std::string name;
  bool hard = false;
  image::Volume image;   ///< float32, ground 100.
  infer::BoxPrompt box;  ///< The ball's bounding box.
};

struct Recipe {
  double radius = 9.0, contrast = 100.0, noise = 8.0, blur = 0.7;
  bool neighbour = false;  ///< A second ball of the same brightness touches it.
};

/// Ball at `centre` (voxels) in a cube of `edge`; the border is a logistic ramp of `blur` voxels.
inline image::Volume make_ball(const Recipe& recipe,
                               const image::Vec3& centre,
                               int64_t edge,
                               Rng& rng) {
  image::Geometry geometry;
  geometry.size = {edge, edge, edge};
  image::Volume volume(geometry, image::PixelType::kFloat32);
  auto voxels = volume.as<float>();
  size_t i = 0;
  for (int64_t z = 0; z < edge; ++z) {
    for (int64_t y = 0; y < edge; ++y) {
      for (int64_t x = 0; x < edge; ++x, ++i) {
        const auto share = [&](double shift) {
          const double dx = static_cast<double>(x) - centre[0] - shift;
          const double dy = static_cast<double>(y) - centre[1];
          const double dz = static_cast<double>(z) - centre[2];
          const double r = std::sqrt(dx * dx + dy * dy + dz * dz);
          return 1.0 / (1.0 + std::exp((r - recipe.radius) / recipe.blur));
        };
        double inside = share(0.0);
        if (recipe.neighbour) inside = std::max(inside, share(1.7 * recipe.radius));
        voxels[i] =
            static_cast<float>(100.0 + recipe.contrast * inside + rng.normal(0.0, recipe.noise));
      }
    }
  }
  return volume;
}

/// 20 cases in mixed order, 5 of them made hard: two of low contrast, two blurred, one with a
/// neighbour that touches. Sizes, places, contrast and noise vary in all of them.
inline std::vector<Case> twenty_cases(uint64_t seed) {
  constexpr int64_t kEdge = 40;
  Rng rng(seed);
  std::vector<int> kinds{1, 1, 2, 2, 3};
  kinds.resize(20, 0);
  rng.shuffle(kinds);
  std::vector<Case> cases;
  for (size_t n = 0; n < kinds.size(); ++n) {
    Recipe recipe;
    recipe.radius = rng.uniform(7.0, 10.0);
    recipe.contrast = rng.uniform(80.0, 120.0);
    recipe.noise = rng.uniform(6.0, 10.0);
    recipe.blur = rng.uniform(0.5, 0.9);
    if (kinds[n] == 1) recipe.contrast = rng.uniform(14.0, 20.0);
    if (kinds[n] == 2) recipe.blur = rng.uniform(3.0, 4.0);
    recipe.neighbour = kinds[n] == 3;
    const double middle = 0.5 * static_cast<double>(kEdge - 1);
    image::Vec3 centre{};
    for (auto& c : centre) c = middle + rng.uniform(-2.0, 2.0);
    if (recipe.neighbour) centre[0] -= 6.0;
    Case made;
    made.name = n < 10 ? "case_0" + std::to_string(n) : "case_" + std::to_string(n);
    made.hard = kinds[n] != 0;
    made.image = make_ball(recipe, centre, kEdge, rng);
    for (size_t a = 0; a < 3; ++a) {
      made.box.lo[a] = std::max<int64_t>(0, std::llround(centre[a] - recipe.radius));
      made.box.hi[a] = std::min<int64_t>(kEdge - 1, std::llround(centre[a] + recipe.radius));
    }
    cases.push_back(std::move(made));
  }
  return cases;
}

}  // namespace voxloom::serve::testing_cases
