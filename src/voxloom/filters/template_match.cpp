#include "voxloom/filters/template_match.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "voxloom/filters/lanes.h"

namespace voxloom::filters {
namespace {

constexpr int64_t kLanes = 16;

/// A square, its rows padded with zeros to whole lanes, less its mean.
struct Template {
  int64_t side = 0, stride = 0;
  std::vector<float> values;
  std::vector<float> ones;  ///< One row: 1 within the square, 0 in the padding.
  double norm2 = 0.0;
};

Template cut_template(const MatchImage& image, int64_t x, int64_t y, int64_t half) {
  Template t;
  t.side = 2 * half + 1;
  t.stride = (t.side + kLanes - 1) / kLanes * kLanes;
  t.values.assign(static_cast<size_t>(t.stride * t.side), 0.0F);
  t.ones.assign(static_cast<size_t>(t.stride), 0.0F);
  std::fill_n(t.ones.begin(), t.side, 1.0F);
  double sum = 0.0;
  for (int64_t r = 0; r < t.side; ++r) {
    const float* row = image.pixels + (y - half + r) * image.width + x - half;
    for (int64_t c = 0; c < t.side; ++c) sum += row[c];
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(t.side * t.side));
  for (int64_t r = 0; r < t.side; ++r) {
    const float* row = image.pixels + (y - half + r) * image.width + x - half;
    for (int64_t c = 0; c < t.side; ++c) {
      const float value = row[c] - mean;
      t.values[static_cast<size_t>(r * t.stride + c)] = value;
      t.norm2 += static_cast<double>(value) * value;
    }
  }
  return t;
}

/// sums: of b, b^2 and a b over the square whose top left pixel is `at`. Reads up to the padding's
/// end, so the caller keeps that inside the image's memory.
VOXLOOM_FOR_EACH_ISA void correlate(const float* values,
                                    const float* ones,
                                    int64_t side,
                                    int64_t stride,
                                    const float* at,
                                    int64_t image_stride,
                                    float base,
                                    float* sums) {
  float b1[kLanes] = {}, b2[kLanes] = {}, ab[kLanes] = {};
  for (int64_t r = 0; r < side; ++r) {
    const float* a = values + r * stride;
    const float* b = at + r * image_stride;
    for (int64_t c = 0; c < stride; c += kLanes) {
      for (int64_t i = 0; i < kLanes; ++i) {
        const float v = (b[c + i] - base) * ones[c + i];
        b1[i] += v;
        b2[i] += v * v;
        ab[i] += a[c + i] * v;
      }
    }
  }
  for (int64_t i = 0; i < kLanes; ++i) {
    sums[0] += b1[i];
    sums[1] += b2[i];
    sums[2] += ab[i];
  }
}

/// Offset of the top of the quadratic surface through the best score and its 4 neighbours, bent by
/// the corners: parabolas along each axis alone are wrong on a ridge that runs diagonally. A least
/// squares fit would miss the best score itself, and an image would not match itself in place.
/// 0 where the surface has no top.
std::array<double, 2> surface_top(const std::array<double, 9>& s) {
  const double fx = (s[5] - s[3]) / 2.0, fy = (s[7] - s[1]) / 2.0;
  const double fxx = s[5] + s[3] - 2.0 * s[4], fyy = s[7] + s[1] - 2.0 * s[4];
  const double fxy = (s[0] + s[8] - s[2] - s[6]) / 4.0;
  const double det = fxx * fyy - fxy * fxy;
  if (fxx >= 0.0 || det <= 1e-12) return {0.0, 0.0};
  return {std::clamp((fxy * fy - fyy * fx) / det, -1.0, 1.0),
          std::clamp((fxy * fx - fxx * fy) / det, -1.0, 1.0)};
}

}  // namespace

Match match_template(const MatchImage& from,
                     const MatchImage& in,
                     int64_t x,
                     int64_t y,
                     int64_t half,
                     int64_t guess_x,
                     int64_t guess_y,
                     int64_t search,
                     Precision precision) {
  Match best;
  if (x < half || y < half || x + half >= from.width || y + half >= from.height) return best;
  const Template t = cut_template(from, x, y, half);
  if (t.norm2 < 1e-9) return best;
  const auto count = static_cast<double>(t.side * t.side);
  const int64_t span = 2 * search + 1;
  std::vector<double> scores(static_cast<size_t>(span * span), -2.0);
  // Sums of squares lose less precision around the template's own grey level.
  const float base = from.pixels[y * from.width + x];
  int64_t best_u = 0, best_v = 0;
  for (int64_t v = 0; v < span; ++v) {
    for (int64_t u = 0; u < span; ++u) {
      const int64_t left = x + guess_x + u - search - half, top = y + guess_y + v - search - half;
      if (left < 0 || top < 0 || left + t.side > in.width || top + t.side > in.height) continue;
      // The last row of the last square would read padding behind the image.
      const bool past_end = (top + t.side - 1) * in.width + left + t.stride > in.width * in.height;
      if (past_end) continue;
      float sums[3] = {};
      correlate(t.values.data(),
                t.ones.data(),
                t.side,
                t.stride,
                in.pixels + top * in.width + left,
                in.width,
                base,
                sums);
      const double norm2 = sums[1] - static_cast<double>(sums[0]) * sums[0] / count;
      const double score = norm2 > 1e-9 ? sums[2] / std::sqrt(norm2 * t.norm2) : -1.0;
      scores[static_cast<size_t>(v * span + u)] = score;
      if (score > best.ncc) {
        best.ncc = score;
        best_u = u;
        best_v = v;
      }
    }
  }
  if (best.ncc <= -1.0) return best;
  best.dx = static_cast<double>(guess_x + best_u - search);
  best.dy = static_cast<double>(guess_y + best_v - search);
  if (precision == Precision::kPixel) return best;
  if (best_u == 0 || best_v == 0 || best_u + 1 == span || best_v + 1 == span) return best;
  std::array<double, 9> around{};
  for (int64_t k = 0; k < 9; ++k) {
    around[static_cast<size_t>(k)] =
        scores[static_cast<size_t>((best_v + k / 3 - 1) * span + best_u + k % 3 - 1)];
    if (around[static_cast<size_t>(k)] < -1.5) return best;  // That square leaves the image.
  }
  const auto [dx, dy] = surface_top(around);
  best.dx += dx;
  best.dy += dy;
  return best;
}

}  // namespace voxloom::filters
