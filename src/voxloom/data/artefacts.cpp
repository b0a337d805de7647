#include "voxloom/data/artefacts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "voxloom/data/chance.h"
#include "voxloom/image/font.h"

namespace voxloom::data {
namespace {

/// Multiplies what the artefact lets through, each pixel once however often a curve crosses it.
class Shade {
 public:
  explicit Shade(Plane& plane) : plane_(plane), through_(plane.pixels.size(), 1.0F) {}
  ~Shade() {
    for (size_t i = 0; i < through_.size(); ++i) plane_.pixels[i] *= through_[i];
  }
  Shade(const Shade&) = delete;
  Shade& operator=(const Shade&) = delete;

  /// A soft disc: full depth inside radius - 0.5, nothing outside radius + 0.5.
  void disc(double cx, double cy, double radius, double depth) { ring(cx, cy, 0.0, radius, depth); }
  void ring(double cx, double cy, double inner, double outer, double depth) {
    const auto clip = [](double v, int64_t n) {
      return std::clamp<int64_t>(static_cast<int64_t>(v), 0, n);
    };
    const int64_t x0 = clip(cx - outer - 1, plane_.width), x1 = clip(cx + outer + 2, plane_.width);
    const int64_t y0 = clip(cy - outer - 1, plane_.height),
                  y1 = clip(cy + outer + 2, plane_.height);
    for (int64_t y = y0; y < y1; ++y) {
      for (int64_t x = x0; x < x1; ++x) {
        const double r = std::hypot(static_cast<double>(x) - cx, static_cast<double>(y) - cy);
        double share = std::clamp(outer + 0.5 - r, 0.0, 1.0);
        if (inner > 0.0) share *= std::clamp(r - inner + 0.5, 0.0, 1.0);
        float& through = through_[static_cast<size_t>(y * plane_.width + x)];
        through = std::min(through, static_cast<float>(1.0 - depth * share));
      }
    }
  }
  void curve(const std::array<CurvePoint, 4>& c, double width, double depth) {
    double length = 0.0;
    for (size_t i = 0; i + 1 < c.size(); ++i) {
      length += std::hypot(c[i + 1].x - c[i].x, c[i + 1].y - c[i].y);
    }
    const auto steps = std::max<int64_t>(1, std::lround(2.0 * length / std::max(1.0, width)));
    for (int64_t k = 0; k <= steps; ++k) {
      const double t = static_cast<double>(k) / static_cast<double>(steps), s = 1.0 - t;
      const std::array<double, 4> b{s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t};
      double x = 0.0, y = 0.0;
      for (size_t i = 0; i < 4; ++i) {
        x += b[i] * c[i].x;
        y += b[i] * c[i].y;
      }
      disc(x, y, 0.5 * width, depth);
    }
  }

 private:
  Plane& plane_;
  std::vector<float> through_;
};

/// Pixels of a picture of 512 become pixels of this one.
double scale_of(const Plane& plane) {
  return std::max(0.25, static_cast<double>(std::min(plane.width, plane.height)) / 512.0);
}

CurvePoint anywhere(const Plane& plane, double margin, Rng& rng) {
  return {rng.uniform(-margin, 1.0 + margin) * static_cast<double>(plane.width),
          rng.uniform(-margin, 1.0 + margin) * static_cast<double>(plane.height)};
}

void screw(Shade& shade, const CurvePoint& at, double length, double width, Rng& rng) {
  const double angle = rng.uniform(0.0, 2.0 * std::numbers::pi);
  const double dx = length * std::cos(angle), dy = length * std::sin(angle);
  const double depth = rng.uniform(0.5, 0.9);
  shade.curve({{{at.x, at.y},
                {at.x + dx / 3, at.y + dy / 3},
                {at.x + 2 * dx / 3, at.y + 2 * dy / 3},
                {at.x + dx, at.y + dy}}},
              width,
              depth);
  shade.disc(at.x, at.y, 1.1 * width, depth);
}

/// The mean of the pixels in the ring [inner, outer] about (cx, cy) that carry no object; -1: none.
float mean_beside(const Example& e, int64_t cx, int64_t cy, int64_t inner, int64_t outer) {
  double sum = 0.0;
  int64_t count = 0;
  for (int64_t y = std::max<int64_t>(0, cy - outer); y <= std::min(e.image.height - 1, cy + outer);
       ++y) {
    for (int64_t x = std::max<int64_t>(0, cx - outer); x <= std::min(e.image.width - 1, cx + outer);
         ++x) {
      const int64_t r2 = (x - cx) * (x - cx) + (y - cy) * (y - cy);
      if (r2 < inner * inner || r2 > outer * outer) continue;
      if (e.mask[static_cast<size_t>(y * e.image.width + x)] != 0) continue;
      sum += e.image.at(x, y);
      ++count;
    }
  }
  return count > 0 ? static_cast<float>(sum / static_cast<double>(count)) : -1.0F;
}

bool is_object(uint8_t label) {
  return label != 0 && label != 255;
}

}  // namespace

void darken_curve(Plane& plane,
                  const std::array<CurvePoint, 4>& control,
                  double width,
                  double depth) {
  Shade(plane).curve(control, width, depth);
}

void add_distractor_curves(Plane& plane, Rng& rng) {
  const uint64_t count = 1 + rng.below(3);
  const double scale = scale_of(plane);
  for (uint64_t i = 0; i < count; ++i) {
    std::array<CurvePoint, 4> control;
    for (auto& point : control) point = anywhere(plane, 0.2, rng);
    darken_curve(
        plane, control, std::max(1.0, scale * log_uniform(rng, 2.0, 16.0)), rng.uniform(0.1, 0.45));
  }
}

void erase_gaps(Example& example, Rng& rng) {
  std::vector<int64_t> pixels;
  for (size_t i = 0; i < example.mask.size(); ++i) {
    if (is_object(example.mask[i])) pixels.push_back(static_cast<int64_t>(i));
  }
  if (pixels.empty()) return;
  const int64_t width = example.image.width, height = example.image.height;
  const uint64_t count = 1 + rng.below(3);
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t at = pixels[rng.below(pixels.size())];
    const int64_t cx = at % width, cy = at / width;
    const auto radius = static_cast<int64_t>(std::lround(0.5 * rng.uniform(3.0, 12.0)));
    const PlaneStatistics whole = statistics(example.image);
    const Plane before = example.image;
    for (int64_t y = std::max<int64_t>(0, cy - radius); y <= std::min(height - 1, cy + radius);
         ++y) {
      for (int64_t x = std::max<int64_t>(0, cx - radius); x <= std::min(width - 1, cx + radius);
           ++x) {
        if ((x - cx) * (x - cx) + (y - cy) * (y - cy) > radius * radius) continue;
        if (!is_object(example.mask[static_cast<size_t>(y * width + x)])) continue;
        float beside = mean_beside(example, x, y, 1, radius + 4);
        if (beside < 0.0F) beside = whole.mean;
        // The grain of the place stays, or the gap would be a smooth stain.
        const float local = before.at(x, y) - before.at(std::max<int64_t>(0, x - 1), y);
        example.image.at(x, y) = beside + 0.5F * std::clamp(local, -0.05F, 0.05F);
      }
    }
  }
}

void add_leads_or_screws(Plane& plane, Rng& rng) {
  const double scale = scale_of(plane);
  Shade shade(plane);
  if (rng.uniform() < 0.5) {
    // A lead from outside to a ring electrode.
    const CurvePoint end = anywhere(plane, -0.1, rng);
    shade.curve(
        {{anywhere(plane, 0.5, rng), anywhere(plane, 0.2, rng), anywhere(plane, 0.0, rng), end}},
        std::max(1.0, scale * rng.uniform(2.0, 4.0)),
        rng.uniform(0.2, 0.6));
    const double outer = scale * rng.uniform(8.0, 20.0);
    shade.ring(end.x, end.y, outer * rng.uniform(0.4, 0.8), outer, rng.uniform(0.3, 0.7));
    return;
  }
  const uint64_t count = 1 + rng.below(3);
  for (uint64_t i = 0; i < count; ++i) {
    screw(shade,
          anywhere(plane, 0.0, rng),
          scale * rng.uniform(15.0, 60.0),
          std::max(2.0, scale * rng.uniform(4.0, 10.0)),
          rng);
  }
}

void add_text(Plane& plane, Rng& rng) {
  const uint64_t blocks = 1 + rng.below(4);
  for (uint64_t b = 0; b < blocks; ++b) {
    const uint64_t letters = 1 + rng.below(8);
    const auto size = static_cast<int64_t>(1 + rng.below(2));
    const float value = rng.uniform() < 0.7 ? 1.0F : 0.0F;
    const CurvePoint at = anywhere(plane, 0.0, rng);
    for (uint64_t i = 0; i < letters; ++i) {
      const auto& glyph = image::font_glyph(static_cast<char>('!' + rng.below(94)));
      for (int64_t y = 0; y < 7 * size; ++y) {
        for (int64_t x = 0; x < 5 * size; ++x) {
          if (((glyph[static_cast<size_t>(y / size)] >> (4 - x / size)) & 1) == 0) continue;
          const int64_t px = static_cast<int64_t>(at.x) + static_cast<int64_t>(i) * 6 * size + x;
          const int64_t py = static_cast<int64_t>(at.y) + y;
          if (px < plane.width && py < plane.height) plane.at(px, py) = value;
        }
      }
    }
  }
}

void add_collimator(Example& example, Rng& rng) {
  Plane& plane = example.image;
  const auto level = static_cast<float>(rng.uniform(0.0, 0.03));
  const auto w = static_cast<double>(plane.width), h = static_cast<double>(plane.height);
  const bool round = rng.uniform() < 0.5;
  const double left = rng.uniform(0.0, 0.15) * w, right = w - rng.uniform(0.0, 0.15) * w;
  const double top = rng.uniform(0.0, 0.15) * h, bottom = h - rng.uniform(0.0, 0.15) * h;
  const double radius = rng.uniform(0.9, 1.0) * 0.5 * std::min(w, h);
  for (int64_t y = 0; y < plane.height; ++y) {
    const double py = static_cast<double>(y) + 0.5;
    for (int64_t x = 0; x < plane.width; ++x) {
      const double px = static_cast<double>(x) + 0.5;
      const bool open = round ? std::hypot(px - 0.5 * w, py - 0.5 * h) <= radius
                              : px >= left && px <= right && py >= top && py <= bottom;
      if (open) continue;
      plane.at(x, y) = level;
      uint8_t& label = example.mask[static_cast<size_t>(y * plane.width + x)];
      if (is_object(label)) label = 255;
    }
  }
}

}  // namespace voxloom::data
