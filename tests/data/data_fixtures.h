#pragma once

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "voxloom/data/warp.h"
#include "voxloom/dataset/sample.h"

#include "../dataset/dataset_fixtures.h"

namespace voxloom::data::testing {

using dataset::testing::error_of;
using dataset::testing::TempFolder;

/// A picture of a dark oblique line on a textured ground, with its mask; the seed moves the line.
struct Picture {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> image, mask;

  [[nodiscard]] SourceView view() const {
    double sum = 0.0;
    for (const uint8_t v : image) sum += v;
    return {width,
            height,
            image,
            mask,
            static_cast<float>(sum / (255.0 * static_cast<double>(image.size())))};
  }
};

inline Picture line_picture(int64_t width, int64_t height, uint64_t seed, double half_width = 1.5) {
  Picture out{width, height, {}, {}};
  Rng rng(seed);
  const double angle = rng.uniform(0.0, 3.1), offset = rng.uniform(-0.1, 0.1);
  const double nx = std::cos(angle), ny = std::sin(angle);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double dx = static_cast<double>(x) - 0.5 * static_cast<double>(width);
      const double dy = static_cast<double>(y) - 0.5 * static_cast<double>(height);
      const double d = std::abs(dx * nx + dy * ny - offset * static_cast<double>(width));
      const double ground = 190.0 + 20.0 * std::sin(0.11 * dx) * std::cos(0.07 * dy);
      const double line = std::clamp(half_width + 0.5 - d, 0.0, 1.0);
      out.image.push_back(
          static_cast<uint8_t>(ground * (1.0 - 0.7 * line) + rng.uniform(0.0, 6.0)));
      out.mask.push_back(d <= half_width ? 1 : 0);
    }
  }
  return out;
}

/// `count` line pictures as files, with the samples that name them.
inline std::vector<dataset::Sample> line_samples(const TempFolder& folder,
                                                 int64_t count,
                                                 int64_t width,
                                                 int64_t height) {
  std::vector<dataset::Sample> out;
  for (int64_t i = 0; i < count; ++i) {
    const Picture picture = line_picture(width, height, static_cast<uint64_t>(i));
    dataset::Sample sample;
    sample.id = std::to_string(i);
    sample.dataset = "LINES";
    sample.image = folder / ("i" + sample.id + ".png");
    sample.mask = folder / ("m" + sample.id + ".png");
    sample.role = dataset::Role::kTrain;
    sample.classes = dataset::unified_class_map();
    dataset::testing::write_grey(sample.image, width, height, picture.image);
    dataset::testing::write_grey(sample.mask, width, height, picture.mask);
    out.push_back(std::move(sample));
  }
  return out;
}

}  // namespace voxloom::data::testing
