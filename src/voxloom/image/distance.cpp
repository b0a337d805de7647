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
      : spacing2_(spacing * spacing), parts_(static_cast<size_t>(length) + 1) {
    // Two parabolas d apart cross where the difference of their values at 0, over 2 s^2 d, says.
    // The factor comes from a table: a division for every voxel and axis would take most of the
    // time.
    factor_.reserve(static_cast<size_t>(length) + 1);
    factor_.push_back(0.0);
    for (int64_t d = 1; d <= length; ++d) {
      factor_.push_back(0.5 / (spacing2_ * static_cast<double>(d)));
    }
  }

  void apply(float* line, int64_t length) {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    Part* const parts = parts_.data();
    int64_t n = 0;
    for (int64_t i = 0; i < length; ++i) {
      if (line[i] == kFar) continue;
      const auto x = static_cast<double>(i);
      const double at_zero = static_cast<double>(line[i]) + spacing2_ * x * x;
      double from = -kInfinite;
      for (; n > 0; --n) {
        const Part& top = parts[n - 1];
        from = (at_zero - top.at_zero) * factor_[static_cast<size_t>(i - top.site)];
        if (from > top.start) break;
      }
      parts[n] = {i, static_cast<double>(line[i]), at_zero, n == 0 ? -kInfinite : from};
      ++n;
    }
    if (n == 0) return;
    parts[n].start = kInfinite;
    const Part* part = parts;
    for (int64_t y = 0; y < length; ++y) {
      while ((part + 1)->start < static_cast<double>(y)) ++part;
      const auto d = static_cast<double>(y - part->site);
      line[y] = static_cast<float>(part->height + spacing2_ * d * d);
    }
  }

 private:
  /// A parabola and from where on it is the lowest.
  struct Part {
    int64_t site = 0;
    double height = 0.0;   ///< At its site.
    double at_zero = 0.0;  ///< height + (spacing * site)^2.
    double start = 0.0;
  };

  double spacing2_;
  std::vector<double> factor_;
  std::vector<Part> parts_;
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
