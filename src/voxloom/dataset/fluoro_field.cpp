#include "voxloom/dataset/fluoro_field.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "voxloom/core/format.h"
#include "voxloom/dataset/fluoro_math.h"
#include "voxloom/image/font.h"

namespace voxloom::dataset {
namespace {

/// Distance inside the field's border in pixels, negative outside.
using Shape = std::array<double, 8>;  // x0, y0, x1, y1, corner radius, circle radius, cx, cy

double inside(const Shape& s, double x, double y) {
  if (s[5] > 0.0) return s[5] - std::hypot(x - s[6], y - s[7]);
  const double r = s[4];
  const double dx = std::max({s[0] + r - x, x - (s[2] - r), 0.0});
  const double dy = std::max({s[1] + r - y, y - (s[3] - r), 0.0});
  if (dx > 0.0 && dy > 0.0) return r - std::hypot(dx, dy);
  return std::min({x - s[0], s[2] - x, y - s[1], s[3] - y});
}

void draw_text(FluoroPlane& plane, int64_t x0, int64_t y0, std::string_view text, int64_t scale) {
  const auto put = [&](int64_t x, int64_t y, float value) {
    if (x < 0 || y < 0 || x >= plane.width || y >= plane.height) return;
    float& at = plane.row(y)[x];
    if (value > 0.0F || at == 0.0F) at = value;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const auto& glyph = image::font_glyph(text[i]);
    for (int64_t row = 0; row < 7; ++row) {
      for (int64_t column = 0; column < 5; ++column) {
        if ((glyph[static_cast<size_t>(row)] >> (4 - column) & 1) == 0) continue;
        const int64_t x = x0 + (static_cast<int64_t>(i) * 6 + column) * scale;
        const int64_t y = y0 + row * scale;
        for (int64_t dy = -1; dy <= scale; ++dy) {
          for (int64_t dx = -1; dx <= scale; ++dx) {
            const bool core = dx >= 0 && dy >= 0 && dx < scale && dy < scale;
            put(x + dx, y + dy, core ? 1.0F : -1.0F);
          }
        }
      }
    }
  }
}

}  // namespace

FluoroPlane make_field(FluoroField field, int64_t size, Rng& rng) {
  FluoroPlane plane(size, size, 1.0F);
  const auto n = static_cast<double>(size);
  Shape shape{-9.0, -9.0, n + 9.0, n + 9.0, 0.0, 0.0, 0.0, 0.0};
  double soft = 1.0;
  switch (field) {
    case FluoroField::kFull:
      return plane;
    case FluoroField::kCircle:
      shape[5] = n * rng.uniform(0.49, 0.56);
      shape[6] = shape[7] = 0.5 * (n - 1.0);
      break;
    case FluoroField::kRounded: {
      const double cut = n * rng.uniform(0.0, 0.03);
      shape = {cut, cut, n - 1.0 - cut, n - 1.0 - cut, n * rng.uniform(0.06, 0.25), 0, 0, 0};
      break;
    }
    case FluoroField::kCollimated:
      for (size_t side = 0; side < 4; ++side) {
        if (rng.uniform() < 0.4) continue;
        const double cut = n * rng.uniform(0.02, 0.16);
        shape[side] = side < 2 ? cut : n - 1.0 - cut;
      }
      soft = rng.uniform(1.5, 5.0);
      break;
  }
  for (int64_t y = 0; y < size; ++y) {
    for (int64_t x = 0; x < size; ++x) {
      const double d = inside(shape, static_cast<double>(x), static_cast<double>(y));
      plane.row(y)[x] = static_cast<float>(smooth_step(-soft, soft, d));
    }
  }
  return plane;
}

FluoroPlane make_caption(int64_t size, const FluoroParameters& p, Rng& rng) {
  FluoroPlane plane(size, size);
  const int64_t scale = size >= 768 ? 2 : 1;
  const int64_t edge = std::max<int64_t>(3, size / 50);
  const int oblique = static_cast<int>(rng.uniform(-50.0, 50.0));
  const int cranial = static_cast<int>(rng.uniform(-40.0, 40.0));
  const std::array<std::string, 4> corners = {
      format("{} {}  {} {}",
             oblique < 0 ? "RAO" : "LAO",
             std::abs(oblique),
             cranial < 0 ? "CAU" : "CRA",
             std::abs(cranial)),
      format("FLUORO {} p/s", static_cast<int>(rng.uniform() < 0.5 ? 15 : 7)),
      format("{} kV {:.1f} mA", static_cast<int>(rng.uniform(70, 90)), rng.uniform(3.0, 12.0)),
      format("FD {} cm", std::lround(static_cast<double>(size) * p.detector_pixel_mm / 10.0))};
  for (size_t corner = 0; corner < corners.size(); ++corner) {
    if (rng.uniform() < 0.4) continue;
    const auto width = static_cast<int64_t>(corners[corner].size()) * 6 * scale;
    draw_text(plane,
              corner % 2 == 0 ? edge : size - edge - width,
              corner < 2 ? edge : size - edge - 7 * scale,
              corners[corner],
              scale);
  }
  return plane;
}

}  // namespace voxloom::dataset
