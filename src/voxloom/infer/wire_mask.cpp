#include "voxloom/infer/wire_mask.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/components.h"
#include "voxloom/image/distance.h"
#include "voxloom/image/skeleton.h"
#include "voxloom/image/skeleton_graph.h"

namespace voxloom::infer {
namespace {

using image::ComponentMap;

/// Runs of probability > threshold.
ComponentMap components_above(std::span<const float> probability,
                              int64_t width,
                              int64_t height,
                              double threshold) {
  const auto low = static_cast<float>(threshold);
  return image::label_components(
      {width, height, 1},
      image::Connectivity::kCorners,
      [&](int64_t row, std::vector<ComponentMap::Run>& runs) {
        const float* line = probability.data() + row * width;
        for (int64_t x = 0; x < width;) {
          if (!(line[x] > low)) {
            ++x;
            continue;
          }
          const int64_t begin = x;
          while (x < width && line[x] > low) ++x;
          runs.push_back({.begin = static_cast<int32_t>(begin), .end = static_cast<int32_t>(x)});
        }
      });
}

struct ComponentFacts {
  float highest = 0.0F;
  double sum = 0.0;
  double length = 0.0;  ///< Skeleton, px.
};

/// Distance to the background within the smallest box that holds the mask.
std::vector<float> inner_distance(const std::vector<uint8_t>& mask, int64_t width, int64_t height) {
  int64_t x0 = width, x1 = -1, y0 = height, y1 = -1;
  for (int64_t y = 0; y < height; ++y) {
    const auto row = mask.begin() + y * width;
    const auto first = std::find(row, row + width, uint8_t{1});
    if (first == row + width) continue;
    y0 = std::min(y0, y);
    y1 = y;
    x0 = std::min<int64_t>(x0, first - row);
    for (int64_t x = width - 1; x > x1; --x) {
      if (row[x] != 0) {
        x1 = x;
        break;
      }
    }
  }
  std::vector<float> out(mask.size(), 0.0F);
  if (x1 < 0) return out;
  // A rim of background, so that the picture's border counts as outside.
  const int64_t w = x1 - x0 + 3, h = y1 - y0 + 3;
  std::vector<uint8_t> outside(static_cast<size_t>(w * h), 1);
  for (int64_t y = y0; y <= y1; ++y) {
    for (int64_t x = x0; x <= x1; ++x) {
      outside[static_cast<size_t>((y - y0 + 1) * w + x - x0 + 1)] =
          mask[static_cast<size_t>(y * width + x)] == 0;
    }
  }
  const auto distance = image::distance_to(outside, {w, h, 1}, {1.0, 1.0, 1.0});
  for (int64_t y = y0; y <= y1; ++y) {
    std::copy_n(distance.begin() + (y - y0 + 1) * w + 1, x1 - x0 + 1, out.begin() + y * width + x0);
  }
  return out;
}

}  // namespace

WireMask make_wire_mask(std::span<const float> probability,
                        int64_t width,
                        int64_t height,
                        const WireMaskRule& rule) {
  VOXLOOM_CHECK(
      width > 0 && height > 0 && probability.size() == static_cast<size_t>(width * height),
      ErrorCode::kInvalidArgument,
      "wire mask: {} x {} px must have as many probabilities, got {}",
      width,
      height,
      probability.size());
  WireMask result;
  const auto map = components_above(probability, width, height, rule.low_threshold);
  std::vector<ComponentFacts> facts(map.components.size());
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    auto& fact = facts[static_cast<size_t>(component)];
    for (int64_t i = first; i < first + length; ++i) {
      const float p = probability[static_cast<size_t>(i)];
      fact.highest = std::max(fact.highest, p);
      fact.sum += p;
    }
  });
  for (const auto& fact : facts) result.highest = std::max(result.highest, fact.highest);

  std::vector<uint8_t> mask(probability.size(), 0);
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (facts[static_cast<size_t>(component)].highest > rule.high_threshold) {
      std::fill_n(mask.begin() + first, length, uint8_t{1});
    }
  });
  const auto radius = inner_distance(mask, width, height);
  auto skeleton = image::skeletonize(mask, width, height);
  skeleton = image::prune_spurs(skeleton, width, height, {.radius_px = radius});

  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    for (int64_t i = first; i < first + length; ++i) {
      if (skeleton[static_cast<size_t>(i)] == 0) continue;
      // Half of a step to each neighbour on the line: what the pixel adds to the length.
      double steps = 0.0;
      const int64_t x = i % width, y = i / width;
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          if ((dx == 0 && dy == 0) || x + dx < 0 || x + dx >= width || y + dy < 0 ||
              y + dy >= height || skeleton[static_cast<size_t>(i + dy * width + dx)] == 0) {
            continue;
          }
          steps += 0.5 * (dx != 0 && dy != 0 ? std::sqrt(2.0) : 1.0);
        }
      }
      facts[static_cast<size_t>(component)].length += steps;
    }
  });

  std::vector<uint8_t> keep(facts.size(), 0);
  for (size_t c = 0; c < facts.size(); ++c) {
    const auto& fact = facts[c];
    if (!(fact.highest > rule.high_threshold)) continue;
    ++result.components_before;
    const auto size = static_cast<double>(map.components[c].size);
    const double length = std::max(fact.length, 1.0);
    const bool good = fact.length >= rule.min_length_px &&
                      fact.sum / size >= rule.min_probability &&
                      length * length / size >= rule.min_elongation;
    keep[c] = good;
    if (!good) continue;
    ++result.components_after;
    result.pixels += map.components[c].size;
    result.mean_probability += fact.sum;
  }
  if (result.pixels > 0) result.mean_probability /= static_cast<double>(result.pixels);
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (keep[static_cast<size_t>(component)] != 0) return;
    std::fill_n(mask.begin() + first, length, uint8_t{0});
    std::fill_n(skeleton.begin() + first, length, uint8_t{0});
  });
  result.mask = std::move(mask);
  result.skeleton = std::move(skeleton);
  return result;
}

}  // namespace voxloom::infer
