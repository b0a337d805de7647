#include "voxloom/filters/registration.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/lanes.h"
#include "voxloom/filters/template_match.h"

namespace voxloom::filters {
namespace {

struct Place {
  int64_t x = 0, y = 0;
  float gradient = 0.0F;
};

/// Binomial [1 4 6 4 1] / 16 along both axes; borders are repeated.
VOXLOOM_FOR_EACH_ISA void smooth_rows(
    const float* image, int64_t width, int64_t height, int64_t first, int64_t last, float* out) {
  std::vector<float> padded(static_cast<size_t>(width + 4));
  for (int64_t y = first; y < last; ++y) {
    const float* rows[5];
    for (int64_t k = 0; k < 5; ++k) {
      rows[k] = image + std::clamp<int64_t>(y + k - 2, 0, height - 1) * width;
    }
    float* middle = padded.data() + 2;
    for (int64_t x = 0; x < width; ++x) {
      middle[x] = (rows[0][x] + rows[4][x] + 4.0F * (rows[1][x] + rows[3][x]) + 6.0F * rows[2][x]) *
                  (1.0F / 16);
    }
    padded[0] = padded[1] = middle[0];
    middle[width] = middle[width + 1] = middle[width - 1];
    const float* p = padded.data();
    float* to = out + y * width;
    for (int64_t x = 0; x < width; ++x) {
      to[x] = (p[x] + p[x + 4] + 4.0F * (p[x + 1] + p[x + 3]) + 6.0F * p[x + 2]) * (1.0F / 16);
    }
  }
}

VOXLOOM_FOR_EACH_ISA void halve_rows(
    const float* image, int64_t width, int64_t first, int64_t last, float* out) {
  const int64_t w = width / 2;
  for (int64_t y = first; y < last; ++y) {
    const float* a = image + 2 * y * width;
    const float* b = a + width;
    float* to = out + y * w;
    for (int64_t x = 0; x < w; ++x) {
      to[x] = 0.25F * (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]);
    }
  }
}

/// Squared gradient of a half-size image; 0 on its border.
std::vector<float> gradient_of(const std::vector<float>& image, int64_t w, int64_t h) {
  std::vector<float> g(image.size(), 0.0F);
  for (int64_t y = 1; y < h - 1; ++y) {
    const float* p = image.data() + y * w;
    for (int64_t x = 1; x < w - 1; ++x) {
      const float dx = p[x + 1] - p[x - 1], dy = p[x + w] - p[x - w];
      g[static_cast<size_t>(y * w + x)] = dx * dx + dy * dy;
    }
  }
  return g;
}

/// The strongest edge in each square of the grid, where it is strong for the whole frame.
std::vector<Place> control_places(const FramePyramid& background,
                                  std::span<const uint8_t> field,
                                  const RegistrationOptions& options) {
  const int64_t w = background.width / 2, h = background.height / 2;
  const std::vector<float> gradient = gradient_of(background.half, w, h);
  const auto inside = [&](int64_t x, int64_t y) {
    return field.empty() || field[static_cast<size_t>(2 * y * background.width + 2 * x)] != 0;
  };
  std::vector<float> sampled;
  for (int64_t y = 1; y < h - 1; y += 3) {
    for (int64_t x = 1; x < w - 1; x += 3) {
      if (inside(x, y)) sampled.push_back(gradient[static_cast<size_t>(y * w + x)]);
    }
  }
  const float limit = quantile(sampled, options.gradient_share);
  const int64_t cell = std::max<int64_t>(2, options.grid / 2), margin = options.templ / 4 + 1;
  std::vector<Place> places;
  for (int64_t top = 0; top < h; top += cell) {
    for (int64_t left = 0; left < w; left += cell) {
      Place best;
      for (int64_t y = std::max(top, margin); y < std::min({top + cell, h - margin}); ++y) {
        for (int64_t x = std::max(left, margin); x < std::min({left + cell, w - margin}); ++x) {
          const float g = gradient[static_cast<size_t>(y * w + x)];
          if (g > best.gradient && inside(x, y)) best = {x, y, g};
        }
      }
      if (best.gradient > limit) places.push_back(best);
    }
  }
  return places;
}

ControlPoint match_place(const FramePyramid& background,
                         const FramePyramid& live,
                         const Place& place,
                         const RegistrationOptions& options) {
  const int64_t w = live.width, h = live.height, half = options.templ / 2;
  const MatchImage live_half{live.half.data(), w / 2, h / 2};
  const MatchImage back_half{background.half.data(), w / 2, h / 2};
  const Match coarse = match_template(live_half,
                                      back_half,
                                      place.x,
                                      place.y,
                                      half / 2,
                                      0,
                                      0,
                                      (options.search + 1) / 2,
                                      Precision::kPixel);
  if (coarse.ncc <= -1.0) return {};
  const int64_t x = std::clamp<int64_t>(2 * place.x, half, w - 1 - half);
  const int64_t y = std::clamp<int64_t>(2 * place.y, half, h - 1 - half);
  const Match fine = match_template({live.smooth.data(), w, h},
                                    {background.smooth.data(), w, h},
                                    x,
                                    y,
                                    half,
                                    std::lround(2 * coarse.dx),
                                    std::lround(2 * coarse.dy),
                                    2,
                                    Precision::kSubPixel);
  return {static_cast<double>(x), static_cast<double>(y), fine.dx, fine.dy, fine.ncc};
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Points that move unlike the median of their 8 nearest neighbours are mistakes (or the device).
std::vector<ControlPoint> without_outliers(const std::vector<ControlPoint>& points,
                                           double max_deviation) {
  std::vector<ControlPoint> kept;
  std::vector<std::pair<double, size_t>> order;
  for (const ControlPoint& p : points) {
    order.clear();
    for (size_t k = 0; k < points.size(); ++k) {
      if (&points[k] == &p) continue;
      const double x = points[k].x - p.x, y = points[k].y - p.y;
      order.emplace_back(x * x + y * y, k);
    }
    const size_t count = std::min<size_t>(8, order.size());
    if (count == 0) continue;  // One match alone proves nothing.
    std::nth_element(
        order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count - 1), order.end());
    std::vector<double> dx, dy;
    for (size_t k = 0; k < count; ++k) {
      dx.push_back(points[order[k].second].dx);
      dy.push_back(points[order[k].second].dy);
    }
    if (std::hypot(p.dx - median_of(dx), p.dy - median_of(dy)) <= max_deviation) kept.push_back(p);
  }
  return kept;
}

/// exp(-(k kStep - centre)^2 / (2 sigma^2)) for every node k of an axis.
void gaussian_of_nodes(double centre, double sigma, std::span<float> out) {
  for (size_t k = 0; k < out.size(); ++k) {
    const double d = (static_cast<double>(k) * MotionField::kStep - centre) / sigma;
    out[k] = static_cast<float>(std::exp(-0.5 * d * d));
  }
}

/// Adds a point to the sums of one row of nodes.
VOXLOOM_FOR_EACH_ISA void add_point(const float* across,
                                    float down,
                                    float dx,
                                    float dy,
                                    int64_t columns,
                                    float* total,
                                    float* sum_dx,
                                    float* sum_dy) {
  for (int64_t i = 0; i < columns; ++i) {
    const float w = down * across[i];
    total[i] += w;
    sum_dx[i] += w * dx;
    sum_dy[i] += w * dy;
  }
}

/// Gaussian-weighted means of the points' displacements; far from all points the median.
void spread(MotionField& motion, double sigma) {
  constexpr float kFar = 0.02F;   // The median's weight: that of a point 2.8 sigma away.
  constexpr float kNone = 1e-4F;  // A point 4.3 sigma away no longer counts.
  const auto columns = static_cast<size_t>(motion.columns), rows = static_cast<size_t>(motion.rows);
  const size_t count = motion.points.size();
  std::vector<float> across(count * columns), down(count * rows);
  for (size_t k = 0; k < count; ++k) {
    gaussian_of_nodes(motion.points[k].x, sigma, std::span(across).subspan(k * columns, columns));
    gaussian_of_nodes(motion.points[k].y, sigma, std::span(down).subspan(k * rows, rows));
  }
  const auto median_dx = static_cast<float>(motion.median_dx);
  const auto median_dy = static_cast<float>(motion.median_dy);
  parallel_for(0, motion.rows, 8, [&](int64_t first, int64_t last) {
    std::vector<float> total(columns);
    for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
      float* dx = motion.dx.data() + row * columns;
      float* dy = motion.dy.data() + row * columns;
      std::fill(total.begin(), total.end(), kFar);
      std::fill_n(dx, columns, kFar * median_dx);
      std::fill_n(dy, columns, kFar * median_dy);
      for (size_t k = 0; k < count; ++k) {
        const float weight = down[k * rows + row];
        if (weight < kNone) continue;
        add_point(across.data() + k * columns,
                  weight,
                  static_cast<float>(motion.points[k].dx),
                  static_cast<float>(motion.points[k].dy),
                  motion.columns,
                  total.data(),
                  dx,
                  dy);
      }
      for (size_t i = 0; i < columns; ++i) {
        dx[i] /= total[i];
        dy[i] /= total[i];
      }
    }
  });
}

/// Displacements of one pixel row from the grid.
VOXLOOM_INLINE void field_row(const MotionField& motion,
                              const std::vector<float>& plane,
                              int64_t y,
                              int64_t width,
                              float sign,
                              float* out) {
  constexpr int64_t kStep = MotionField::kStep;
  const int64_t row = y / kStep;
  const float fy = static_cast<float>(y % kStep) / kStep;
  const float* a = plane.data() + row * motion.columns;
  const float* b = a + motion.columns;
  for (int64_t column = 0; column * kStep < width; ++column) {
    const float left = sign * (a[column] + fy * (b[column] - a[column]));
    const float right = sign * (a[column + 1] + fy * (b[column + 1] - a[column + 1]));
    const float slope = (right - left) / kStep;
    const int64_t first = column * kStep, n = std::min(kStep, width - first);
    for (int64_t i = 0; i < n; ++i) out[first + i] = left + slope * static_cast<float>(i);
  }
}

VOXLOOM_FOR_EACH_ISA void warp_rows(const MotionField& motion,
                                    const float* image,
                                    int64_t width,
                                    int64_t height,
                                    float sign,
                                    int64_t first,
                                    int64_t last,
                                    float* out) {
  std::vector<float> dx(static_cast<size_t>(width)), dy(dx.size());
  const auto right = static_cast<float>(width - 1), bottom = static_cast<float>(height - 1);
  const auto w32 = static_cast<int32_t>(width), last_x = w32 - 1;
  const auto last_y = static_cast<int32_t>(height) - 1;
  for (int64_t y = first; y < last; ++y) {
    field_row(motion, motion.dx, y, width, sign, dx.data());
    field_row(motion, motion.dy, y, width, sign, dy.data());
    float* to = out + y * width;
    for (int64_t x = 0; x < width; ++x) {
      const auto i = static_cast<size_t>(x);
      const float u = std::clamp(static_cast<float>(x) + dx[i], 0.0F, right);
      const float v = std::clamp(static_cast<float>(y) + dy[i], 0.0F, bottom);
      const auto u0 = static_cast<int32_t>(u), v0 = static_cast<int32_t>(v);
      const int32_t u1 = std::min(u0 + 1, last_x), v1 = std::min(v0 + 1, last_y);
      const float fu = u - static_cast<float>(u0), fv = v - static_cast<float>(v0);
      const float top = image[v0 * w32 + u0] + fu * (image[v0 * w32 + u1] - image[v0 * w32 + u0]);
      const float low = image[v1 * w32 + u0] + fu * (image[v1 * w32 + u1] - image[v1 * w32 + u0]);
      to[x] = top + fv * (low - top);
    }
  }
}

}  // namespace

void FramePyramid::assign(std::span<const float> image, int64_t w, int64_t h) {
  width = w;
  height = h;
  full.assign(image.begin(), image.end());
  update();
}

void FramePyramid::update() {
  smooth.resize(full.size());
  half.resize(static_cast<size_t>((width / 2) * (height / 2)));
  parallel_for(0, height / 2 + height % 2, 32, [&](int64_t first, int64_t last) {
    smooth_rows(full.data(), width, height, 2 * first, std::min(2 * last, height), smooth.data());
    halve_rows(smooth.data(), width, first, std::min(last, height / 2), half.data());
  });
}

MotionField find_motion(const FramePyramid& background,
                        const FramePyramid& live,
                        std::span<const uint8_t> field,
                        const RegistrationOptions& options) {
  VOXLOOM_CHECK(background.width == live.width && background.height == live.height,
                ErrorCode::kInvalidArgument,
                "registration: both frames must have one size, got {}x{} and {}x{}",
                background.width,
                background.height,
                live.width,
                live.height);
  VOXLOOM_CHECK(options.templ % 2 == 1 && options.templ >= 5 && options.search >= 1 &&
                    options.grid >= 4 && options.field_sigma > 0.0,
                ErrorCode::kInvalidArgument,
                "registration: the template must be odd and at least 5 px, got {}",
                options.templ);
  MotionField motion;
  motion.columns = live.width / MotionField::kStep + 2;
  motion.rows = live.height / MotionField::kStep + 2;
  motion.dx.assign(static_cast<size_t>(motion.columns * motion.rows), 0.0F);
  motion.dy = motion.dx;
  if (live.width <= options.templ || live.height <= options.templ) return motion;

  const std::vector<Place> places = control_places(background, field, options);
  std::vector<ControlPoint> found(places.size());
  parallel_for(0, static_cast<int64_t>(places.size()), 4, [&](int64_t first, int64_t last) {
    for (auto k = static_cast<size_t>(first); k < static_cast<size_t>(last); ++k) {
      found[k] = match_place(background, live, places[k], options);
    }
  });
  motion.tried = static_cast<int64_t>(found.size());
  std::erase_if(found, [&](const ControlPoint& p) {
    return !(p.ncc >= options.min_ncc) ||
           std::hypot(p.dx, p.dy) > static_cast<double>(options.search);
  });
  motion.points = without_outliers(found, options.max_deviation);
  if (motion.points.empty()) return motion;
  std::vector<double> dx, dy;
  for (const ControlPoint& p : motion.points) {
    dx.push_back(p.dx);
    dy.push_back(p.dy);
  }
  motion.median_dx = median_of(dx);
  motion.median_dy = median_of(dy);
  spread(motion, options.field_sigma);
  return motion;
}

void warp(const MotionField& motion,
          std::span<const float> image,
          int64_t width,
          int64_t height,
          float sign,
          std::span<float> out) {
  VOXLOOM_CHECK(image.size() == static_cast<size_t>(width * height) && out.size() == image.size() &&
                    motion.columns == width / MotionField::kStep + 2 &&
                    motion.rows == height / MotionField::kStep + 2,
                ErrorCode::kInvalidArgument,
                "warp: image, output and field must fit {}x{} px",
                width,
                height);
  parallel_for(0, height, 32, [&](int64_t first, int64_t last) {
    warp_rows(motion, image.data(), width, height, sign, first, last, out.data());
  });
}

double correlation(std::span<const float> a,
                   std::span<const float> b,
                   std::span<const uint8_t> field) {
  VOXLOOM_CHECK(a.size() == b.size() && (field.empty() || field.size() == a.size()),
                ErrorCode::kInvalidArgument,
                "correlation: images must have one size, got {} and {} pixels",
                a.size(),
                b.size());
  double n = 0.0, sa = 0.0, sb = 0.0, saa = 0.0, sbb = 0.0, sab = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!field.empty() && field[i] == 0) continue;
    const double x = a[i], y = b[i];
    n += 1.0;
    sa += x;
    sb += y;
    saa += x * x;
    sbb += y * y;
    sab += x * y;
  }
  if (n == 0.0) return 0.0;
  const double va = saa - sa * sa / n, vb = sbb - sb * sb / n;
  return va > 1e-12 && vb > 1e-12 ? (sab - sa * sb / n) / std::sqrt(va * vb) : 0.0;
}

}  // namespace voxloom::filters
