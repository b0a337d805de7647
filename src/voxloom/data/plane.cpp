#include "voxloom/data/plane.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace voxloom::data {
namespace {

/// Index mirrored about the border pixels' outer edges (d c b a | a b c d | d c b a).
int64_t mirrored(int64_t i, int64_t n) {
  while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
  return i;
}

/// out[x] = sum of weights[k] * row[x + k - radius], of a row with `radius` mirrored pixels on
/// either side.
void convolve_row(const float* padded, float* out, int64_t n, const std::vector<float>& weights) {
  std::fill(out, out + n, 0.0F);
  for (size_t k = 0; k < weights.size(); ++k) {
    const float w = weights[k];
    const float* in = padded + k;
    for (int64_t x = 0; x < n; ++x) out[x] += w * in[x];
  }
}

void blur_small(Plane& plane, double sigma) {
  const auto radius = static_cast<int64_t>(std::ceil(4.0 * sigma));
  std::vector<float> weights;
  double sum = 0.0;
  for (int64_t k = -radius; k <= radius; ++k) {
    const double w = std::exp(-0.5 * static_cast<double>(k * k) / (sigma * sigma));
    weights.push_back(static_cast<float>(w));
    sum += w;
  }
  for (float& w : weights) w = static_cast<float>(w / sum);
  const int64_t width = plane.width, height = plane.height;
  std::vector<float> padded(static_cast<size_t>(width + 2 * radius));
  for (int64_t y = 0; y < height; ++y) {
    float* row = &plane.at(0, y);
    for (int64_t x = -radius; x < width + radius; ++x) {
      padded[static_cast<size_t>(x + radius)] = row[x >= 0 && x < width ? x : mirrored(x, width)];
    }
    convolve_row(padded.data(), row, width, weights);
  }
  // Down the columns whole rows at a time, so that memory is read in order.
  std::vector<float> out(plane.pixels.size(), 0.0F);
  for (int64_t y = 0; y < height; ++y) {
    float* target = out.data() + y * width;
    for (int64_t k = -radius; k <= radius; ++k) {
      const float w = weights[static_cast<size_t>(k + radius)];
      const float* row = &plane.at(0, mirrored(y + k, height));
      for (int64_t x = 0; x < width; ++x) target[x] += w * row[x];
    }
  }
  plane.pixels = std::move(out);
}

/// Mean over 2 * radius + 1 values; `stride` apart.
void box_line(const float* in, float* out, int64_t n, int64_t stride, int64_t radius) {
  const float scale = 1.0F / static_cast<float>(2 * radius + 1);
  double sum = 0.0;
  for (int64_t k = -radius; k <= radius; ++k) sum += in[mirrored(k, n) * stride];
  for (int64_t i = 0; i < n; ++i) {
    out[i * stride] = static_cast<float>(sum) * scale;
    sum += in[mirrored(i + radius + 1, n) * stride] - in[mirrored(i - radius, n) * stride];
  }
}

void blur_large(Plane& plane, double sigma) {
  // Three boxes of widths b have the variance sum of (b^2 - 1) / 12: as many of one odd width as
  // bring it nearest to sigma^2, the others two wider.
  const double ideal = std::sqrt(4.0 * sigma * sigma + 1.0);
  const auto narrow = std::max<int64_t>(0, static_cast<int64_t>((ideal - 1.0) / 2.0));
  const auto b = static_cast<double>(2 * narrow + 1);
  const double wider = (12.0 * sigma * sigma - 3.0 * (b * b - 1.0)) / (4.0 * b + 4.0);
  const auto wide_passes = std::clamp<int64_t>(std::lround(wider), 0, 3);
  std::vector<float> other(plane.pixels.size());
  for (int64_t pass = 0; pass < 3; ++pass) {
    const int64_t radius = narrow + (pass < wide_passes ? 1 : 0);
    for (int64_t y = 0; y < plane.height; ++y) {
      box_line(&plane.at(0, y), other.data() + y * plane.width, plane.width, 1, radius);
    }
    for (int64_t x = 0; x < plane.width; ++x) {
      box_line(other.data() + x, &plane.at(x, 0), plane.height, plane.width, radius);
    }
  }
}

}  // namespace

PlaneStatistics statistics(const Plane& plane) {
  PlaneStatistics out;
  if (plane.pixels.empty()) return out;
  // Four lanes, so that the sums are vectors; double, so that a large plane loses nothing.
  std::array<double, 4> sums{}, squares{};
  std::array<float, 4> lo{}, hi{};
  lo.fill(plane.pixels[0]);
  hi.fill(plane.pixels[0]);
  for (size_t i = 0; i < plane.pixels.size(); ++i) {
    const float v = plane.pixels[i];
    const size_t lane = i & 3;
    sums[lane] += v;
    squares[lane] += static_cast<double>(v) * v;
    lo[lane] = std::min(lo[lane], v);
    hi[lane] = std::max(hi[lane], v);
  }
  const auto n = static_cast<double>(plane.pixels.size());
  const double mean = (sums[0] + sums[1] + sums[2] + sums[3]) / n;
  const double square = (squares[0] + squares[1] + squares[2] + squares[3]) / n;
  out.mean = static_cast<float>(mean);
  out.std = static_cast<float>(std::sqrt(std::max(0.0, square - mean * mean)));
  out.min = *std::ranges::min_element(lo);
  out.max = *std::ranges::max_element(hi);
  return out;
}

void gaussian_blur(Plane& plane, double sigma) {
  if (sigma <= 0.0 || plane.pixels.empty()) return;
  if (sigma <= 4.0) {
    blur_small(plane, sigma);
  } else {
    blur_large(plane, sigma);
  }
}

void motion_blur(Plane& plane, double length, double angle) {
  const auto steps = std::max<int64_t>(1, std::lround(2.0 * length));
  std::vector<float> out(plane.pixels.size(), 0.0F);
  const float share = 1.0F / static_cast<float>(steps + 1);
  for (int64_t k = 0; k <= steps; ++k) {
    const double t = length * (static_cast<double>(k) / static_cast<double>(steps) - 0.5);
    const double dx = t * std::cos(angle), dy = t * std::sin(angle);
    const auto ix = static_cast<int64_t>(std::floor(dx)), iy = static_cast<int64_t>(std::floor(dy));
    const auto fx = static_cast<float>(dx - static_cast<double>(ix));
    const auto fy = static_cast<float>(dy - static_cast<double>(iy));
    for (int64_t y = 0; y < plane.height; ++y) {
      const float* row0 = &plane.at(0, std::clamp<int64_t>(y + iy, 0, plane.height - 1));
      const float* row1 = &plane.at(0, std::clamp<int64_t>(y + iy + 1, 0, plane.height - 1));
      float* target = out.data() + y * plane.width;
      for (int64_t x = 0; x < plane.width; ++x) {
        const int64_t x0 = std::clamp<int64_t>(x + ix, 0, plane.width - 1);
        const int64_t x1 = std::clamp<int64_t>(x + ix + 1, 0, plane.width - 1);
        const float top = row0[x0] + fx * (row0[x1] - row0[x0]);
        const float bottom = row1[x0] + fx * (row1[x1] - row1[x0]);
        target[x] += share * (top + fy * (bottom - top));
      }
    }
  }
  plane.pixels = std::move(out);
}

void add_noise(Plane& plane, double sigma, Rng& rng) {
  const auto scale = static_cast<float>(sigma);
  for (float& v : plane.pixels) v += scale * static_cast<float>(rng.normal());
}

void apply_gamma(Plane& plane, double gamma, const PlaneStatistics& before) {
  const float range = before.max - before.min;
  if (range <= 0.0F) return;
  // A table of 4096 steps with linear interpolation: a power per pixel costs ten times as much.
  constexpr size_t kSteps = 4096;
  std::array<float, kSteps + 2> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    table[i] = before.min + range * static_cast<float>(std::pow(
                                        std::min(1.0, static_cast<double>(i) / kSteps), gamma));
  }
  const float scale = static_cast<float>(kSteps) / range;
  for (float& v : plane.pixels) {
    const float t = std::clamp((v - before.min) * scale, 0.0F, static_cast<float>(kSteps));
    const auto i = static_cast<size_t>(t);
    const float f = t - static_cast<float>(i);
    v = table[i] + f * (table[i + 1] - table[i]);
  }
}

std::array<float, 4> cubic_weights(float f) {
  const float g = 1.0F - f;
  return {-0.5F * f * g * g,
          1.0F + f * f * (1.5F * f - 2.5F),
          1.0F + g * g * (1.5F * g - 2.5F),
          -0.5F * g * f * f};
}

void resize_cubic(const Plane& in, Plane& out) {
  struct Taps {
    std::array<int64_t, 4> at;
    std::array<float, 4> w;
  };
  const auto taps = [](int64_t from, int64_t to) {
    std::vector<Taps> list;
    for (int64_t i = 0; i < to; ++i) {
      const double t =
          (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) -
          0.5;
      const auto first = static_cast<int64_t>(std::floor(t));
      Taps entry{{}, cubic_weights(static_cast<float>(t - static_cast<double>(first)))};
      for (int64_t k = 0; k < 4; ++k) {
        entry.at[static_cast<size_t>(k)] = std::clamp<int64_t>(first - 1 + k, 0, from - 1);
      }
      list.push_back(entry);
    }
    return list;
  };
  const auto across = taps(in.width, out.width), down = taps(in.height, out.height);
  Plane wide{out.width, in.height, std::vector<float>(static_cast<size_t>(out.width * in.height))};
  for (int64_t y = 0; y < in.height; ++y) {
    const float* row = in.pixels.data() + y * in.width;
    float* target = &wide.at(0, y);
    for (size_t x = 0; x < across.size(); ++x) {
      const Taps& t = across[x];
      target[x] = t.w[0] * row[t.at[0]] + t.w[1] * row[t.at[1]] + t.w[2] * row[t.at[2]] +
                  t.w[3] * row[t.at[3]];
    }
  }
  for (int64_t y = 0; y < out.height; ++y) {
    const Taps& t = down[static_cast<size_t>(y)];
    float* target = &out.at(0, y);
    std::fill(target, target + out.width, 0.0F);
    for (size_t k = 0; k < 4; ++k) {
      const float* row = &wide.at(0, t.at[k]);
      for (int64_t x = 0; x < out.width; ++x) target[x] += t.w[k] * row[x];
    }
  }
}

void clamp(Plane& plane, float lo, float hi) {
  for (float& v : plane.pixels) v = std::clamp(v, lo, hi);
}

}  // namespace voxloom::data
