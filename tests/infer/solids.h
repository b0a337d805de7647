#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"

namespace voxloom::infer::testing_solids {

/// A bright solid on a darker ground, with its true voxels and the clicks of a person.
struct Solid {
  std::string name;
  image::Volume image;  ///< float32; ground 100, solid 200, then blurred a little, then noise.
  std::vector<uint8_t> truth;
  ObjectPrompt prompt;
};

/// Truth is decided at the voxel centre, in mm from the volume's centre.
inline Solid make_solid(const std::string& name,
                        const image::Geometry& geometry,
                        const std::function<bool(double, double, double)>& inside,
                        double noise,
                        uint32_t seed,
                        const std::function<double(double, double, double)>& ground = {}) {
  Solid solid;
  solid.name = name;
  solid.image = image::Volume(geometry, image::PixelType::kFloat32);
  solid.truth.resize(static_cast<size_t>(geometry.voxel_count()));
  const auto& s = geometry.size;
  auto voxels = solid.image.as<float>();
  // std::normal_distribution differs between libraries; a sum of twelve does not.
  std::mt19937 random(seed);
  const auto gauss = [&random] {
    double sum = -6.0;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random()) / 4294967296.0;
    return sum;
  };
  size_t i = 0;
  for (int64_t z = 0; z < s[2]; ++z) {
    for (int64_t y = 0; y < s[1]; ++y) {
      for (int64_t x = 0; x < s[0]; ++x, ++i) {
        const auto mm = [&](int64_t c, size_t a) {
          return (static_cast<double>(c) - 0.5 * static_cast<double>(s[a] - 1)) *
                 geometry.spacing_mm[a];
        };
        const double px = mm(x, 0), py = mm(y, 1), pz = mm(z, 2);
        solid.truth[i] = inside(px, py, pz);
        // Partial volume: the share of 27 points of the voxel inside.
        int hits = 0;
        for (int k = 0; k < 27; ++k) {
          hits += inside(px + (k % 3 - 1) * geometry.spacing_mm[0] / 3,
                         py + (k / 3 % 3 - 1) * geometry.spacing_mm[1] / 3,
                         pz + (k / 9 - 1) * geometry.spacing_mm[2] / 3);
        }
        const double base = ground ? ground(px, py, pz) : 100.0;
        voxels[i] = static_cast<float>(base + (200.0 - base) * hits / 27.0 + noise * gauss());
      }
    }
  }
  return solid;
}

inline image::Geometry cube_of(int64_t edge, double spacing_z = 1.0) {
  image::Geometry g;
  g.size = {edge, edge, static_cast<int64_t>(static_cast<double>(edge) / spacing_z)};
  g.spacing_mm = {1.0, 1.0, spacing_z};
  return g;
}

inline PointPrompt click_at(const image::Geometry& g, double x, double y, double z, bool positive) {
  const std::array<double, 3> mm{x, y, z};
  PointPrompt point;
  for (size_t a = 0; a < 3; ++a) {
    point.voxel[a] =
        std::lround(mm[a] / g.spacing_mm[a] + 0.5 * static_cast<double>(g.size[a] - 1));
  }
  point.positive = positive;
  return point;
}

/// The standard solids, or the one named `only`; `noise` in intensities (the contrast is 100).
inline std::vector<Solid> standard_solids(double noise,
                                          int64_t edge = 64,
                                          const std::string& only = "") {
  std::vector<Solid> solids;
  const auto add = [&](const std::string& name,
                       const image::Geometry& g,
                       const std::function<bool(double, double, double)>& inside,
                       const std::vector<std::array<double, 4>>& clicks) {
    if (!only.empty() && only != name) return;
    solids.push_back(make_solid(name, g, inside, noise, 17));
    for (const auto& c : clicks) {
      solids.back().prompt.points.push_back(click_at(g, c[0], c[1], c[2], c[3] > 0));
    }
  };
  const double u = static_cast<double>(edge) / 64.0;
  const auto ball = [](double x, double y, double z, double r) {
    return x * x + y * y + z * z < r * r;
  };
  add("sphere",
      cube_of(edge),
      [=](double x, double y, double z) { return ball(x, y, z, 14 * u); },
      {{2, 1, 0, 1}});
  add("small sphere",
      cube_of(edge),
      [=](double x, double y, double z) { return ball(x, y, z, 5 * u); },
      {{1, 0, 0, 1}});
  add("ellipsoid",
      cube_of(edge),
      [=](double x, double y, double z) { return ball(x / 2.2, y / 1.2, z / 0.8, 10 * u); },
      {{3, 0, 0, 1}});
  add("sphere, 3 mm slices",
      cube_of(edge, 3.0),
      [=](double x, double y, double z) { return ball(x, y, z, 16 * u); },
      {{2, 1, 0, 1}});
  add("torus",
      cube_of(edge),
      [=](double x, double y, double z) {
        const double q = std::hypot(x, y) - 18 * u;
        return q * q + z * z < 36 * u * u;
      },
      {{18 * u, 0, 0, 1}});
  add("tube",
      cube_of(edge),
      [=](double x, double y, double z) {
        const double c = 8 * u * std::sin(z / (9 * u));
        return (x - c) * (x - c) + y * y < 16 * u * u && std::abs(z) < 27 * u;
      },
      {{0, 0, 0, 1}});
  add("cube",
      cube_of(edge),
      [=](double x, double y, double z) {
        return std::max({std::abs(x), std::abs(y), std::abs(z)}) < 12 * u;
      },
      {{2, -3, 1, 1}});
  // Two balls that share a disc of radius 6: one is wanted, the other clicked away.
  add("touching spheres",
      cube_of(edge),
      [=](double x, double y, double z) { return ball(x + 11 * u, y, z, 12 * u); },
      {{-11 * u, 0, 0, 1}, {11 * u, 0, 0, -1}});
  if (solids.empty() || solids.back().name != "touching spheres") return solids;
  auto& touching = solids.back();
  const auto both = make_solid(
      "",
      touching.image.geometry(),
      [=](double x, double y, double z) {
        return ball(x + 11 * u, y, z, 12 * u) || ball(x - 11 * u, y, z, 12 * u);
      },
      noise,
      17);
  touching.image = both.image;
  for (size_t i = 0; i < touching.truth.size(); ++i) {
    // The shared lens is cut at x = 0.
    const auto x =
        static_cast<double>(static_cast<int64_t>(i) % edge) - 0.5 * static_cast<double>(edge - 1);
    touching.truth[i] = both.truth[i] != 0 && x < 0;
  }
  return solids;
}

/// Dice of label value 1 with the truth.
template <class Labels>
double dice(const Labels& labels, const std::vector<uint8_t>& truth) {
  double both = 0, sum = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    both += labels[i] == 1 && truth[i] != 0;
    sum += (labels[i] == 1) + (truth[i] != 0);
  }
  return sum > 0 ? 2 * both / sum : 1.0;
}

}  // namespace voxloom::infer::testing_solids
