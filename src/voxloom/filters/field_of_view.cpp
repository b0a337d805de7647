#include "voxloom/filters/field_of_view.h"

#include <algorithm>
#include <cmath>

#include "voxloom/filters/convex_hull.h"
#include "voxloom/filters/hessian.h"
#include "voxloom/image/components.h"

namespace voxloom::filters {
namespace {

constexpr int64_t kLeastRun = 3, kLeastSide = 32, kRounds = 3;
constexpr float kCircleThreshold = 0.04F;

struct Interior {
  double dark = 0.02, std = 0.0;
};

/// Statistics of the middle half of the rectangle.
Interior interior_of(const FrameView& view, const FieldOfView& f) {
  const int64_t w = f.right - f.left, h = f.bottom - f.top;
  double n = 0.0, sum = 0.0, sum2 = 0.0;
  for (int64_t y = f.top + h / 4; y < f.bottom - h / 4; ++y) {
    for (int64_t x = f.left + w / 4; x < f.right - w / 4; ++x) {
      const double v = view.pixels[static_cast<size_t>(y * view.width + x)];
      n += 1.0;
      sum += v;
      sum2 += v * v;
    }
  }
  const double mean = sum / n, std = std::sqrt(std::max(0.0, sum2 / n - mean * mean));
  return {std::max(0.02, std::min(0.4 * mean, mean - 0.75 * std)), std};
}

/// Whether `count` pixels from `first` on belong to a blade.
bool is_blade(const FrameView& view, int64_t first, int64_t step, int64_t count, Interior inner) {
  double sum = 0.0, sum2 = 0.0;
  int64_t dark = 0;
  for (int64_t k = 0; k < count; ++k) {
    const double v = view.pixels[static_cast<size_t>(first + k * step)];
    sum += v;
    sum2 += v * v;
    dark += v <= inner.dark ? 1 : 0;
  }
  const auto n = static_cast<double>(count);
  const double mean = sum / n, std = std::sqrt(std::max(0.0, sum2 / n - mean * mean));
  return mean <= inner.dark && std <= std::max(1e-4, 0.5 * inner.std) &&
         static_cast<double>(dark) >= 0.6 * n;
}

void find_rectangle(const FrameView& view, FieldOfView& f) {
  const int64_t w = view.width;
  for (int64_t round = 0; round < kRounds; ++round) {
    const Interior inner = interior_of(view, f);
    const FieldOfView before = f;
    const auto row = [&](int64_t y) {
      return is_blade(view, y * w + f.left, 1, f.right - f.left, inner);
    };
    const auto column = [&](int64_t x) {
      return is_blade(view, f.top * w + x, w, f.bottom - f.top, inner);
    };
    const auto run = [&](auto test, int64_t start, int64_t step, int64_t room) {
      int64_t length = 0;
      while (length < room && test(start + step * length)) ++length;
      return length >= kLeastRun ? length : 0;
    };
    f.top += run(row, f.top, 1, f.bottom - f.top - kLeastSide);
    f.bottom -= run(row, f.bottom - 1, -1, f.bottom - f.top - kLeastSide);
    f.left += run(column, f.left, 1, f.right - f.left - kLeastSide);
    f.right -= run(column, f.right - 1, -1, f.right - f.left - kLeastSide);
    if (f.top == before.top && f.bottom == before.bottom && f.left == before.left &&
        f.right == before.right) {
      return;
    }
  }
}

/// Area of the circle that lies within [0, width] x [0, height].
double area_within(const Circle& circle, int64_t width, int64_t height) {
  double area = 0.0;
  for (int64_t y = 0; y < height; ++y) {
    const double dy = static_cast<double>(y) + 0.5 - circle.y;
    const double half2 = circle.radius * circle.radius - dy * dy;
    if (half2 <= 0.0) continue;
    const double half = std::sqrt(half2);
    area += std::max(
        0.0,
        std::min(static_cast<double>(width), circle.x + half) - std::max(0.0, circle.x - half));
  }
  return area;
}

/// A round field in the rectangle that was found; it may be cut off by the rectangle.
void find_circle(const FrameView& view, FieldOfView& f) {
  const int64_t w = f.right - f.left, h = f.bottom - f.top;
  if (w < kLeastSide || h < kLeastSide) return;
  std::vector<uint8_t> bright(static_cast<size_t>(w * h));
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      const auto i = static_cast<size_t>((y + f.top) * view.width + x + f.left);
      bright[static_cast<size_t>(y * w + x)] = view.pixels[i] > kCircleThreshold ? 1 : 0;
    }
  }
  image::keep_largest(bright, {w, h, 1});
  std::vector<HullPoint> ends;
  for (int64_t y = 0; y < h; ++y) {
    const auto row = bright.begin() + static_cast<std::ptrdiff_t>(y * w);
    const auto first = std::find(row, row + w, 1);
    if (first == row + w) continue;
    int64_t last = w - 1;
    while (row[last] == 0) --last;
    // The corners of pixels, so that a hull has the area of its pixels.
    const auto left = static_cast<double>(first - row), right = static_cast<double>(last + 1);
    const auto top = static_cast<double>(y);
    for (const double v : {top, top + 1}) {
      ends.push_back({left, v});
      ends.push_back({right, v});
    }
  }
  const std::vector<HullPoint> hull = convex_hull(std::move(ends));
  if (hull.size() < 3) return;
  const Circle circle = smallest_circle(hull);
  // The hull lies in the circle and in the rectangle, so their IoU is a ratio of areas.
  const double room = static_cast<double>(w * h), seen = area_within(circle, w, h);
  if (polygon_area(hull) <= 0.97 * seen || seen > 0.995 * room) return;
  f.shape = FieldOfView::Shape::kCircle;
  f.centre_x = circle.x + static_cast<double>(f.left) - 0.5;
  f.centre_y = circle.y + static_cast<double>(f.top) - 0.5;
  f.radius = circle.radius;
}

void make_mask(const FrameView& view, FieldOfView& f) {
  f.mask.assign(view.size(), 0);
  for (int64_t y = f.top; y < f.bottom; ++y) {
    for (int64_t x = f.left; x < f.right; ++x) {
      if (f.shape == FieldOfView::Shape::kCircle) {
        const double dx = static_cast<double>(x) - f.centre_x;
        const double dy = static_cast<double>(y) - f.centre_y;
        // The rim is half dark.
        if (std::hypot(dx, dy) > f.radius - 2.0) continue;
      }
      f.mask[static_cast<size_t>(y * view.width + x)] = 1;
    }
  }
}

/// Mean of the lines that frame the part `rim` px outside its box, within the image.
double frame_mean(const FrameView& view, const image::Component& part, int64_t rim) {
  const int64_t x0 = part.box_min[0] - rim, x1 = part.box_max[0] + rim;
  const int64_t y0 = part.box_min[1] - rim, y1 = part.box_max[1] + rim;
  double sum = 0.0;
  int64_t n = 0;
  const auto add = [&](int64_t x, int64_t y) {
    if (x < 0 || y < 0 || x >= view.width || y >= view.height) return;
    sum += view.pixels[static_cast<size_t>(y * view.width + x)];
    ++n;
  };
  for (int64_t x = x0; x <= x1; ++x) {
    add(x, y0);
    add(x, y1);
  }
  for (int64_t y = y0 + 1; y < y1; ++y) {
    add(x0, y);
    add(x1, y);
  }
  return n > 0 ? sum / static_cast<double>(n) : 1.0;
}

/// Leaves white letters near the edges out of the mask, with a rim for their outline. A letter is
/// drawn: it ends at once, where a part of a bright region goes on a little darker.
void leave_text_out(const FrameView& view, FieldOfView& f) {
  constexpr float kWhite = 0.9F;  // Compressed video does not reach 1.
  constexpr double kAround = 0.8;
  std::vector<uint8_t> white(view.size());
  for (size_t i = 0; i < white.size(); ++i) white[i] = view.pixels[i] >= kWhite ? 1 : 0;
  const auto parts = image::label_components(white, {view.width, view.height, 1});
  const double scale =
      std::max(1.0, static_cast<double>(std::min(view.width, view.height)) / 512.0);
  const auto rim = static_cast<int64_t>(std::ceil(2.0 * scale));
  const int64_t edge_x = (f.right - f.left) / 6, edge_y = (f.bottom - f.top) / 6;
  for (const image::Component& part : parts.components) {
    const int64_t w = part.box_max[0] - part.box_min[0] + 1;
    const int64_t h = part.box_max[1] - part.box_min[1] + 1;
    const auto high = static_cast<double>(h), wide = static_cast<double>(w);
    const bool letter = high >= 8.0 && high <= 21.0 * scale && wide < 4.0 * high;
    const bool near_edge = part.box_max[0] < f.left + edge_x ||
                           part.box_min[0] >= f.right - edge_x ||
                           part.box_max[1] < f.top + edge_y || part.box_min[1] >= f.bottom - edge_y;
    if (!letter || !near_edge || frame_mean(view, part, rim) > kAround) continue;
    if (f.mask.empty()) make_mask(view, f);
    if (f.text.empty()) f.text.assign(view.size(), 0);
    ++f.text_parts;
    const int64_t x0 = std::max<int64_t>(0, part.box_min[0] - rim);
    const int64_t x1 = std::min(view.width, part.box_max[0] + 1 + rim);
    for (int64_t y = std::max<int64_t>(0, part.box_min[1] - rim);
         y < std::min(view.height, part.box_max[1] + 1 + rim);
         ++y) {
      for (auto i = static_cast<size_t>(y * view.width + x0);
           i < static_cast<size_t>(y * view.width + x1);
           ++i) {
        f.text[i] |= f.mask[i];
        f.mask[i] = 0;
      }
    }
  }
}

}  // namespace

double FieldOfView::share() const {
  if (mask.empty()) return 1.0;
  const auto inside = std::count_if(mask.begin(), mask.end(), [](uint8_t v) { return v != 0; });
  return static_cast<double>(inside) / static_cast<double>(mask.size());
}

FieldOfView find_field_of_view(const FrameView& view) {
  FieldOfView f;
  f.right = view.width;
  f.bottom = view.height;
  if (view.width <= kLeastSide || view.height <= kLeastSide) return f;
  find_rectangle(view, f);
  if (f.left > 0 || f.top > 0 || f.right < view.width || f.bottom < view.height) {
    f.shape = FieldOfView::Shape::kRectangle;
  }
  find_circle(view, f);
  if (f.shape != FieldOfView::Shape::kWhole) make_mask(view, f);
  leave_text_out(view, f);
  return f;
}

PolarityCheck check_polarity(const FrameView& view) {
  const auto ridge = hessian_eigenvalues(view.pixels, view.width, view.height, 2.0);
  std::vector<float> values = sample_inside(view, ridge.l2, 1);
  PolarityCheck check;
  check.dark = std::max(0.0F, quantile(values, 0.995));
  check.bright = std::max(0.0F, -quantile(values, 0.005));
  return check;
}

}  // namespace voxloom::filters
