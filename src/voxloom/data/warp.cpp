#include "voxloom/data/warp.h"

#include <algorithm>
#include <cmath>

namespace voxloom::data {
namespace {

constexpr uint8_t kIgnored = 255;

/// Uniform cubic B-spline.
std::array<float, 4> spline_weights(float f) {
  const float g = 1.0F - f;
  return {g * g * g / 6.0F,
          (4.0F - 6.0F * f * f + 3.0F * f * f * f) / 6.0F,
          (4.0F - 6.0F * g * g + 3.0F * g * g * g) / 6.0F,
          f * f * f / 6.0F};
}

/// Displacements of one row of pixels.
class ElasticRows {
 public:
  ElasticRows(const ElasticGrid& grid, int64_t width, int64_t height)
      : grid_(grid),
        height_(height),
        cell_(static_cast<size_t>(width)),
        weights_(static_cast<size_t>(width)),
        row_x_(static_cast<size_t>(grid.nodes_x + 2)),
        row_y_(row_x_.size()) {
    for (int64_t x = 0; x < width; ++x) {
      const auto [cell, f] = locate(x, width, grid.nodes_x);
      cell_[static_cast<size_t>(x)] = cell;
      weights_[static_cast<size_t>(x)] = spline_weights(f);
    }
  }

  void add(int64_t y, std::vector<float>& u, std::vector<float>& v) {
    const auto [cell, f] = locate(y, height_, grid_.nodes_y);
    const auto w = spline_weights(f);
    const size_t stride = row_x_.size();
    for (size_t i = 0; i < stride; ++i) {
      row_x_[i] = row_y_[i] = 0.0F;
      for (size_t k = 0; k < 4; ++k) {
        row_x_[i] += w[k] * grid_.dx[(cell + k) * stride + i];
        row_y_[i] += w[k] * grid_.dy[(cell + k) * stride + i];
      }
    }
    for (size_t x = 0; x < u.size(); ++x) {
      const auto& c = weights_[x];
      const size_t at = cell_[x];
      for (size_t k = 0; k < 4; ++k) {
        u[x] += c[k] * row_x_[at + k];
        v[x] += c[k] * row_y_[at + k];
      }
    }
  }

 private:
  static std::pair<size_t, float> locate(int64_t i, int64_t size, int64_t nodes) {
    const double t = size < 2 ? 0.0
                              : static_cast<double>(i) * static_cast<double>(nodes - 1) /
                                    static_cast<double>(size - 1);
    const auto cell = std::min<int64_t>(static_cast<int64_t>(t), nodes - 2);
    return {static_cast<size_t>(cell), static_cast<float>(t - static_cast<double>(cell))};
  }

  const ElasticGrid& grid_;
  int64_t height_;
  std::vector<size_t> cell_;
  std::vector<std::array<float, 4>> weights_;
  std::vector<float> row_x_, row_y_;
};

float sample_image(const SourceView& s, float x, float y) {
  const float floor_x = std::floor(x), floor_y = std::floor(y);
  const auto ix = static_cast<int64_t>(floor_x), iy = static_cast<int64_t>(floor_y);
  const auto wx = cubic_weights(x - floor_x), wy = cubic_weights(y - floor_y);
  float sum = 0.0F;
  if (ix >= 1 && iy >= 1 && ix + 2 < s.width && iy + 2 < s.height) {
    const uint8_t* row = s.image.data() + (iy - 1) * s.width + ix - 1;
    for (size_t j = 0; j < 4; ++j, row += s.width) {
      sum += wy[j] * (wx[0] * row[0] + wx[1] * row[1] + wx[2] * row[2] + wx[3] * row[3]);
    }
    return sum * (1.0F / 255.0F);
  }
  for (int64_t j = 0; j < 4; ++j) {
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t px = ix - 1 + i, py = iy - 1 + j;
      const bool inside = px >= 0 && py >= 0 && px < s.width && py < s.height;
      const float v =
          inside ? static_cast<float>(s.image[static_cast<size_t>(py * s.width + px)]) / 255.0F
                 : s.mean;
      sum += wx[static_cast<size_t>(i)] * wy[static_cast<size_t>(j)] * v;
    }
  }
  return sum;
}

uint8_t sample_mask(const SourceView& s, float x, float y, float threshold) {
  const auto nx = static_cast<int64_t>(std::floor(x + 0.5F));
  const auto ny = static_cast<int64_t>(std::floor(y + 0.5F));
  if (nx < 0 || ny < 0 || nx >= s.width || ny >= s.height) return kIgnored;
  const auto ix = static_cast<int64_t>(std::floor(x)), iy = static_cast<int64_t>(std::floor(y));
  const int64_t x0 = std::max<int64_t>(ix, 0), x1 = std::min(ix + 1, s.width - 1);
  const int64_t y0 = std::max<int64_t>(iy, 0), y1 = std::min(iy + 1, s.height - 1);
  const auto at = [&](int64_t px, int64_t py) {
    return s.mask[static_cast<size_t>(py * s.width + px)];
  };
  const std::array<uint8_t, 4> labels{at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1)};
  if (labels[0] == labels[1] && labels[0] == labels[2] && labels[0] == labels[3]) return labels[0];
  const uint8_t nearest = at(nx, ny);
  if (nearest == kIgnored) return kIgnored;
  const float fx = x - static_cast<float>(ix), fy = y - static_cast<float>(iy);
  const std::array<float, 4> weights{(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy};
  float object = 0.0F, heaviest = -1.0F;
  uint8_t best = 0;
  for (size_t i = 0; i < 4; ++i) {
    if (labels[i] == 0 || labels[i] == kIgnored) continue;
    object += weights[i];
    float same = 0.0F;
    for (size_t k = 0; k < 4; ++k) same += labels[k] == labels[i] ? weights[k] : 0.0F;
    if (same > heaviest || (same == heaviest && labels[i] == nearest)) {
      heaviest = same;
      best = labels[i];
    }
  }
  return object >= threshold ? best : uint8_t{0};
}

/// The pixel that a map without interpolation takes, or nothing: moves by whole pixels and flips.
struct WholePixels {
  int64_t x0 = 0, y0 = 0, step_x = 1, step_y = 1;
};
std::optional<WholePixels> whole_pixels(const Warp& how) {
  const auto& m = how.matrix;
  const bool straight = m[1] == 0 && m[3] == 0 && m[6] == 0 && m[7] == 0 && m[8] == 1 &&
                        std::abs(m[0]) == 1 && std::abs(m[4]) == 1 && m[2] == std::floor(m[2]) &&
                        m[5] == std::floor(m[5]);
  if (!straight || how.elastic) return std::nullopt;
  return WholePixels{static_cast<int64_t>(m[2]),
                     static_cast<int64_t>(m[5]),
                     static_cast<int64_t>(m[0]),
                     static_cast<int64_t>(m[4])};
}

void copy_pixels(const SourceView& source, const WholePixels& from, Example& out) {
  const int64_t width = out.image.width;
  // Pixels of a row that lie inside the source.
  const int64_t a = from.step_x > 0 ? -from.x0 : from.x0 - source.width + 1;
  const int64_t first = std::clamp<int64_t>(a, 0, width);
  const int64_t last = std::clamp<int64_t>(a + source.width, first, width);
  for (int64_t y = 0; y < out.image.height; ++y) {
    const int64_t sy = from.y0 + from.step_y * y;
    if (sy < 0 || sy >= source.height) continue;
    const uint8_t* image = source.image.data() + sy * source.width;
    const uint8_t* mask = source.mask.empty() ? nullptr : source.mask.data() + sy * source.width;
    float* target = &out.image.at(0, y);
    uint8_t* label = out.mask.data() + y * width;
    for (int64_t x = first; x < last; ++x) {
      const int64_t sx = from.x0 + from.step_x * x;
      target[x] = static_cast<float>(image[sx]) * (1.0F / 255.0F);
      if (mask != nullptr) label[x] = mask[sx];
    }
  }
}

/// Square root of the source area that a pixel in the middle of the example covers.
double shrinking(const Warp& how) {
  const auto& m = how.matrix;
  const auto map = [&](double x, double y) {
    const double w = m[6] * x + m[7] * y + m[8];
    return std::array<double, 2>{(m[0] * x + m[1] * y + m[2]) / w,
                                 (m[3] * x + m[4] * y + m[5]) / w};
  };
  const double cx = 0.5 * static_cast<double>(how.width),
               cy = 0.5 * static_cast<double>(how.height);
  const auto p = map(cx, cy), px = map(cx + 1, cy), py = map(cx, cy + 1);
  return std::sqrt(std::abs((px[0] - p[0]) * (py[1] - p[1]) - (px[1] - p[1]) * (py[0] - p[0])));
}

}  // namespace

ElasticGrid random_elastic_grid(
    int64_t nodes, double sigma_px, int64_t width, int64_t height, Rng& rng) {
  ElasticGrid grid;
  grid.nodes_x = grid.nodes_y = nodes;
  const double spacing =
      static_cast<double>(std::min(width, height) - 1) / static_cast<double>(nodes - 1);
  const double limit = 0.48 * spacing;
  const auto count = static_cast<size_t>((nodes + 2) * (nodes + 2));
  for (auto* component : {&grid.dx, &grid.dy}) {
    component->resize(count);
    for (float& d : *component) {
      d = static_cast<float>(std::clamp(rng.normal(0.0, sigma_px), -limit, limit));
    }
  }
  return grid;
}

Matrix3 product(const Matrix3& a, const Matrix3& b) {
  Matrix3 out{};
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 3; ++k) out[3 * i + j] += a[3 * i + k] * b[3 * k + j];
    }
  }
  return out;
}

Matrix3 quad_from_unit_square(const std::array<double, 8>& c) {
  // Heckbert, Fundamentals of Texture Mapping, 1989, section 2.2.3.
  const double sx = c[0] - c[2] + c[4] - c[6], sy = c[1] - c[3] + c[5] - c[7];
  const double dx1 = c[2] - c[4], dx2 = c[6] - c[4], dy1 = c[3] - c[5], dy2 = c[7] - c[5];
  const double det = dx1 * dy2 - dx2 * dy1;
  const double g = (sx * dy2 - dx2 * sy) / det, h = (dx1 * sy - sx * dy1) / det;
  return {c[2] - c[0] + g * c[2],
          c[6] - c[0] + h * c[6],
          c[0],
          c[3] - c[1] + g * c[3],
          c[7] - c[1] + h * c[7],
          c[1],
          g,
          h,
          1.0};
}

Example warp(const SourceView& source, const Warp& how) {
  Example out;
  const auto count = static_cast<size_t>(how.width * how.height);
  out.image = {how.width, how.height, std::vector<float>(count, source.mean)};
  out.mask.assign(count, kIgnored);
  if (const auto whole = whole_pixels(how)) {
    copy_pixels(source, *whole, out);
    return out;
  }
  const auto width = static_cast<size_t>(how.width);
  const auto threshold =
      static_cast<float>(std::clamp(1.0 - 0.5 * shrinking(how), 0.05, 0.5)) - 1e-4F;
  std::optional<ElasticRows> elastic;
  if (how.elastic) elastic.emplace(*how.elastic, how.width, how.height);
  std::array<float, 9> m{};
  for (size_t i = 0; i < 9; ++i) m[i] = static_cast<float>(how.matrix[i]);
  const bool perspective = m[6] != 0.0F || m[7] != 0.0F;
  const auto far_x = static_cast<float>(source.width + 2),
             far_y = static_cast<float>(source.height + 2);
  std::vector<float> u(width), v(width);
  for (int64_t y = 0; y < how.height; ++y) {
    for (size_t x = 0; x < width; ++x) {
      u[x] = static_cast<float>(x);
      v[x] = static_cast<float>(y);
    }
    if (elastic) elastic->add(y, u, v);
    for (size_t x = 0; x < width; ++x) {
      const float a = m[0] * u[x] + m[1] * v[x] + m[2];
      const float b = m[3] * u[x] + m[4] * v[x] + m[5];
      const float w = perspective ? 1.0F / (m[6] * u[x] + m[7] * v[x] + m[8]) : 1.0F;
      u[x] = a * w;
      v[x] = b * w;
    }
    float* image = &out.image.at(0, y);
    uint8_t* mask = out.mask.data() + y * how.width;
    for (size_t x = 0; x < width; ++x) {
      // Also false for what is not a number.
      if (!(u[x] > -3.0F && v[x] > -3.0F && u[x] < far_x && v[x] < far_y)) continue;
      image[x] = sample_image(source, u[x], v[x]);
      if (!source.mask.empty()) mask[x] = sample_mask(source, u[x], v[x], threshold);
    }
  }
  return out;
}

}  // namespace voxloom::data
