#include "voxloom/filters/clahe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::filters {
namespace {

constexpr int kBins = 256;
using Table = std::array<uint8_t, kBins>;

struct Grid {
  int64_t width, height, tiles_x, tiles_y, tile_width, tile_height;
};

/// To the nearest whole number, halves to even, by pushing the fraction out of the mantissa.
uint8_t rounded(float v) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23
  const float clamped = std::min(std::max(v, 0.0F), 255.0F);
  return static_cast<uint8_t>((clamped + kRound) - kRound);
}

/// Index continued by reflection about the last pixel (a b c | b a).
int64_t reflected(int64_t i, int64_t n) {
  while (i < 0 || i >= n) {
    if (n == 1) return 0;
    i = i < 0 ? -i : 2 * n - 2 - i;
  }
  return i;
}

Table tile_table(
    std::span<const uint8_t> image, const Grid& g, int64_t tx, int64_t ty, double clip_limit) {
  std::array<int64_t, kBins> counts{};
  for (int64_t y = 0; y < g.tile_height; ++y) {
    const int64_t row = reflected(ty * g.tile_height + y, g.height) * g.width;
    for (int64_t x = 0; x < g.tile_width; ++x) {
      const int64_t column = reflected(tx * g.tile_width + x, g.width);
      ++counts[image[static_cast<size_t>(row + column)]];
    }
  }
  const int64_t area = g.tile_width * g.tile_height;
  if (clip_limit > 0.0) {
    const auto limit =
        std::max<int64_t>(1, static_cast<int64_t>(clip_limit * static_cast<double>(area) / kBins));
    int64_t clipped = 0;
    for (auto& n : counts) {
      if (n <= limit) continue;
      clipped += n - limit;
      n = limit;
    }
    const int64_t each = clipped / kBins;
    int64_t rest = clipped - each * kBins;
    for (auto& n : counts) n += each;
    if (rest > 0) {
      const int64_t step = std::max<int64_t>(kBins / rest, 1);
      for (int64_t i = 0; i < kBins && rest > 0; i += step, --rest)
        ++counts[static_cast<size_t>(i)];
    }
  }
  Table table{};
  const float scale = 255.0F / static_cast<float>(area);
  int64_t sum = 0;
  for (size_t i = 0; i < kBins; ++i) {
    sum += counts[i];
    table[i] = rounded(static_cast<float>(sum) * scale);
  }
  return table;
}

/// The two tiles beside a pixel and the weight of the second.
struct Blend {
  size_t first, second;
  float weight;
};
std::vector<Blend> blends(int64_t size, int64_t tile, int64_t tiles) {
  std::vector<Blend> out;
  const float scale = 1.0F / static_cast<float>(tile);
  for (int64_t i = 0; i < size; ++i) {
    const float t = static_cast<float>(i) * scale - 0.5F;
    const auto first = static_cast<int64_t>(std::floor(t));
    out.push_back({static_cast<size_t>(std::max<int64_t>(first, 0)),
                   static_cast<size_t>(std::min(first + 1, tiles - 1)),
                   t - static_cast<float>(first)});
  }
  return out;
}

}  // namespace

void clahe(std::span<uint8_t> image, int64_t width, int64_t height, const ClaheOptions& options) {
  VOXLOOM_CHECK(width > 0 && height > 0 && image.size() == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "clahe: an image of {}x{} must have as many pixels, got {}",
                width,
                height,
                image.size());
  VOXLOOM_CHECK(
      options.tiles_x >= 1 && options.tiles_x <= width && options.tiles_y >= 1 &&
          options.tiles_y <= height && options.clip_limit >= 0.0,
      ErrorCode::kInvalidArgument,
      "clahe: tiles must fit into {}x{} pixels and the limit be 0 or more, got {}x{} and {}",
      width,
      height,
      options.tiles_x,
      options.tiles_y,
      options.clip_limit);
  Grid g{width, height, options.tiles_x, options.tiles_y, 0, 0};
  // As OpenCV: one side that does not divide makes both grow, a side that divides by a whole tile
  // row more.
  const int64_t over_x = width % g.tiles_x, over_y = height % g.tiles_y;
  const bool even = over_x == 0 && over_y == 0;
  g.tile_width = even ? width / g.tiles_x : (width + g.tiles_x - over_x) / g.tiles_x;
  g.tile_height = even ? height / g.tiles_y : (height + g.tiles_y - over_y) / g.tiles_y;
  std::vector<Table> tables(static_cast<size_t>(g.tiles_x * g.tiles_y));
  parallel_for(0, g.tiles_x * g.tiles_y, 8, [&](int64_t first, int64_t last) {
    for (int64_t tile = first; tile < last; ++tile) {
      tables[static_cast<size_t>(tile)] =
          tile_table(image, g, tile % g.tiles_x, tile / g.tiles_x, options.clip_limit);
    }
  });
  const auto across = blends(width, g.tile_width, g.tiles_x);
  const auto down = blends(height, g.tile_height, g.tiles_y);
  const auto stride = static_cast<size_t>(g.tiles_x);
  const auto blend_row = [&](size_t y) {
    const Blend& v = down[y];
    const Table* top = &tables[v.first * stride];
    const Table* bottom = &tables[v.second * stride];
    for (size_t x = 0; x < across.size(); ++x) {
      const Blend& u = across[x];
      uint8_t& pixel = image[y * across.size() + x];
      const float u1 = 1.0F - u.weight, v1 = 1.0F - v.weight;
      const float a = static_cast<float>(top[u.first][pixel]) * u1 +
                      static_cast<float>(top[u.second][pixel]) * u.weight;
      const float b = static_cast<float>(bottom[u.first][pixel]) * u1 +
                      static_cast<float>(bottom[u.second][pixel]) * u.weight;
      pixel = rounded(a * v1 + b * v.weight);
    }
  };
  parallel_for(0, height, 64, [&](int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) blend_row(static_cast<size_t>(y));
  });
}

}  // namespace voxloom::filters
