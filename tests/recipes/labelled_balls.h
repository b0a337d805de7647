#pragma once

#include <algorithm>
#include <filesystem>
#include <vector>

#include "voxloom/core/random.h"
#include "voxloom/dataset/labelled_volumes.h"
#include "voxloom/image/volume.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::recipes::segment {

struct BallSet {
  int64_t cases = 3, width = 72, height = 64, depth = 10;
  uint64_t seed = 5;
};

/// Volumes with two bright balls of different grey on a noisy ground, as NIfTI pairs in
/// folder/image and folder/label. Every case has its own places and sizes.
inline std::vector<dataset::LabelledVolume> write_balls(const std::filesystem::path& folder,
                                                        const BallSet& set = {}) {
  std::filesystem::create_directories(folder / "image");
  std::filesystem::create_directories(folder / "label");
  const image::Geometry geometry{.size = {set.width, set.height, set.depth},
                                 .spacing_mm = {1, 1, 2}};
  for (int64_t n = 0; n < set.cases; ++n) {
    Rng rng(set.seed, static_cast<uint64_t>(n));
    image::Volume volume(geometry, image::PixelType::kUint8);
    image::LabelVolume labels(geometry);
    const auto middle = static_cast<double>(set.depth) / 2.0;
    struct Ball {
      double x, y, z, radius, grey;
    };
    const Ball balls[] = {
        {rng.uniform(18, 26), rng.uniform(20, 40), middle, rng.uniform(10, 13), 190},
        {rng.uniform(48, 54), rng.uniform(22, 42), middle, rng.uniform(9, 12), 140}};
    auto grey = volume.as<uint8_t>();
    auto values = labels.voxels();
    size_t i = 0;
    for (int64_t z = 0; z < set.depth; ++z) {
      for (int64_t y = 0; y < set.height; ++y) {
        for (int64_t x = 0; x < set.width; ++x, ++i) {
          double value = 50.0 + 8.0 * rng.normal();
          for (size_t b = 0; b < 2; ++b) {
            const double dx = static_cast<double>(x) - balls[b].x;
            const double dy = static_cast<double>(y) - balls[b].y;
            const double dz = 2.0 * (static_cast<double>(z) - balls[b].z);
            if (dx * dx + dy * dy + dz * dz >= balls[b].radius * balls[b].radius) continue;
            value += balls[b].grey - 50.0;
            values[i] = static_cast<uint16_t>(b + 1);
          }
          grey[i] = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
        }
      }
    }
    const std::string name = "ball" + std::to_string(n) + ".nii.gz";
    io::write_volume(volume, folder / "image" / name, Overwrite::kReplace);
    io::write_labels(labels, folder / "label" / name, Overwrite::kReplace);
  }
  return dataset::read_labelled_volumes(folder);
}

}  // namespace voxloom::recipes::segment
