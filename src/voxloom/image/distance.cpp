#include "voxloom/image/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::image {
namespace {

constexpr float kFar = std::numeric_limits<float>::infinity();
constexpr int64_t kLines = 16;  // Lines gathered together: one cache line of floats.

// Squared distance along x to the nearest voxel of the same row.
void scan_row(const uint8_t* mask, int64_t width, double spacing, bool nonzero, float* out) {
  int64_t last = -1;
  for (int64_t x = 0; x < width; ++x) {
    if ((mask[x] != 0) == nonzero) last = x;
    const double d = static_cast<double>(x - last) * spacing;
    out[x] = last < 0 ? kFar : static_cast<float>(d * d);
  }
  last = -1;
  for (int64_t x = width - 1; x >= 0; --x) {
    if ((mask[x] != 0) == nonzero) last = x;
    if (last < 0) continue;
    const double d = static_cast<double>(last - x) * spacing;
    out[x] = std::min(out[x], static_cast<float>(d * d));
  }
}

/// The lower envelope of the parabolas y -> line[i] + (spacing * (y - i))^2, sampled at every y.
class Envelope {
 public:
  Envelope(int64_t length, double spacing)
      : spacing2_(spacing * spacing),
        site_(static_cast<size_t>(length)),
        height_(static_cast<size_t>(length)),
        start_(static_cast<size_t>(length)) {}

  void apply(float* line, int64_t length) {
    int64_t n = 0;
    for (int64_t i = 0; i < length; ++i) {
      if (line[i] == kFar) continue;
      const double h = static_cast<double>(line[i]);
      double from = -std::numeric_limits<double>::infinity();
      while (n > 0) {
        from = crossing(n - 1, i, h);
        if (from > start_[static_cast<size_t>(n - 1)]) break;
        --n;
      }
      const auto top = static_cast<size_t>(n);
      site_[top] = i;
      height_[top] = h;
      start_[top] = n == 0 ? -std::numeric_limits<double>::infinity() : from;
      ++n;
    }
    if (n == 0) return;
    size_t k = 0;
    for (int64_t y = 0; y < length; ++y) {
      while (k + 1 < static_cast<size_t>(n) && start_[k + 1] < static_cast<double>(y)) ++k;
      const auto d = static_cast<double>(y - site_[k]);
      line[y] = static_cast<float>(height_[k] + spacing2_ * d * d);
    }
  }

 private:
  // Where the parabola at `i` of height `h` falls below the one at the top of the stack.
  [[nodiscard]] double crossing(int64_t top, int64_t i, double h) const {
    const auto j = static_cast<double>(site_[static_cast<size_t>(top)]);
    const auto x = static_cast<double>(i);
    return 0.5 * ((h - height_[static_cast<size_t>(top)]) / (spacing2_ * (x - j)) + x + j);
  }

  double spacing2_;
  std::vector<int64_t> site_;
  std::vector<double> height_, start_;
};

// Envelopes along an axis with `length` samples `step` apart, for the lines that start at
// base + [0, count): neighbours in memory, gathered kLines at a time.
void pass_lines(float* base, int64_t count, int64_t step, int64_t length, double spacing) {
  Envelope envelope(length, spacing);
  std::vector<float> lines(static_cast<size_t>(kLines * length));
  for (int64_t x0 = 0; x0 < count; x0 += kLines) {
    const int64_t n = std::min(kLines, count - x0);
    for (int64_t i = 0; i < length; ++i) {
      const float* const row = base + i * step + x0;
      for (int64_t k = 0; k < n; ++k) lines[static_cast<size_t>(k * length + i)] = row[k];
    }
    for (int64_t k = 0; k < n; ++k) envelope.apply(lines.data() + k * length, length);
    for (int64_t i = 0; i < length; ++i) {
      float* const row = base + i * step + x0;
      for (int64_t k = 0; k < n; ++k) row[k] = lines[static_cast<size_t>(k * length + i)];
    }
  }
}

std::vector<float> squared(std::span<const uint8_t> mask,
                           const Index3& size,
                           const Vec3& spacing_mm,
                           bool nonzero) {
  const int64_t width = size[0], height = size[1], depth = size[2];
  VOXLOOM_CHECK(width > 0 && height > 0 && depth > 0 &&
                    mask.size() == static_cast<size_t>(width * height * depth),
                ErrorCode::kInvalidArgument,
                "distance: mask must hold {} voxels, got {}",
                size,
                mask.size());
  for (const double s : spacing_mm) {
    VOXLOOM_CHECK(s > 0 && std::isfinite(s),
                  ErrorCode::kInvalidArgument,
                  "distance: spacing must be positive and finite, got {} mm",
                  spacing_mm);
  }
  std::vector<float> out(mask.size());
  const int64_t slice = width * height;
  parallel_for(0, depth, 1, [&](int64_t z0, int64_t z1) {
    for (int64_t z = z0; z < z1; ++z) {
      for (int64_t y = 0; y < height; ++y) {
        const int64_t row = z * slice + y * width;
        scan_row(mask.data() + row, width, spacing_mm[0], nonzero, out.data() + row);
      }
      if (height > 1) pass_lines(out.data() + z * slice, width, width, height, spacing_mm[1]);
    }
  });
  if (depth > 1) {
    parallel_for(0, height, 1, [&](int64_t y0, int64_t y1) {
      for (int64_t y = y0; y < y1; ++y) {
        pass_lines(out.data() + y * width, width, slice, depth, spacing_mm[2]);
      }
    });
  }
  return out;
}

void take_root(std::vector<float>& values) {
  parallel_for(0, static_cast<int64_t>(values.size()), 1 << 18, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      values[static_cast<size_t>(i)] = std::sqrt(values[static_cast<size_t>(i)]);
    }
  });
}

}  // namespace

std::vector<float> squared_distance_to(std::span<const uint8_t> mask,
                                       const Index3& size,
                                       const Vec3& spacing_mm) {
  return squared(mask, size, spacing_mm, true);
}

std::vector<float> distance_to(std::span<const uint8_t> mask,
                               const Index3& size,
                               const Vec3& spacing_mm) {
  auto out = squared(mask, size, spacing_mm, true);
  take_root(out);
  return out;
}

std::vector<float> signed_distance(std::span<const uint8_t> mask,
                                   const Index3& size,
                                   const Vec3& spacing_mm) {
  auto out = distance_to(mask, size, spacing_mm);
  auto inside = squared(mask, size, spacing_mm, false);
  take_root(inside);
  for (size_t i = 0; i < out.size(); ++i) {
    if (mask[i] != 0) out[i] = -inside[i];
  }
  return out;
}

}  // namespace voxloom::image
