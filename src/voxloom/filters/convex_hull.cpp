#include "voxloom/filters/convex_hull.h"

#include <algorithm>
#include <cmath>

namespace voxloom::filters {
namespace {

double cross(const HullPoint& o, const HullPoint& a, const HullPoint& b) {
  return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

bool holds(const Circle& c, const HullPoint& p) {
  return std::hypot(p.x - c.x, p.y - c.y) <= c.radius * (1.0 + 1e-9) + 1e-9;
}

Circle around(const HullPoint& a, const HullPoint& b) {
  return {(a.x + b.x) / 2, (a.y + b.y) / 2, std::hypot(a.x - b.x, a.y - b.y) / 2};
}

Circle around(const HullPoint& a, const HullPoint& b, const HullPoint& c) {
  const double bx = b.x - a.x, by = b.y - a.y, cx = c.x - a.x, cy = c.y - a.y;
  const double d = 2.0 * (bx * cy - by * cx);
  if (std::abs(d) < 1e-12) {
    // On one line: the widest pair.
    Circle widest = around(a, b);
    for (const Circle& other : {around(a, c), around(b, c)}) {
      if (other.radius > widest.radius) widest = other;
    }
    return widest;
  }
  const double b2 = bx * bx + by * by, c2 = cx * cx + cy * cy;
  const double ux = (cy * b2 - by * c2) / d, uy = (bx * c2 - cx * b2) / d;
  return {a.x + ux, a.y + uy, std::hypot(ux, uy)};
}

}  // namespace

std::vector<HullPoint> convex_hull(std::vector<HullPoint> points) {
  std::sort(points.begin(), points.end(), [](const HullPoint& a, const HullPoint& b) {
    return a.x < b.x || (a.x == b.x && a.y < b.y);
  });
  if (points.size() < 3) return points;
  std::vector<HullPoint> hull;
  const auto add = [&](const HullPoint& p, size_t floor) {
    while (hull.size() > floor && cross(hull[hull.size() - 2], hull.back(), p) <= 0.0) {
      hull.pop_back();
    }
    hull.push_back(p);
  };
  for (const HullPoint& p : points) add(p, 1);
  const size_t lower = hull.size();
  for (size_t i = points.size() - 1; i-- > 0;) add(points[i], lower);
  hull.pop_back();  // The first point again.
  return hull;
}

double polygon_area(std::span<const HullPoint> corners) {
  double twice = 0.0;
  for (size_t i = 0; i < corners.size(); ++i) {
    const HullPoint &a = corners[i], &b = corners[(i + 1) % corners.size()];
    twice += a.x * b.y - a.y * b.x;
  }
  return std::abs(twice) / 2;
}

Circle smallest_circle(std::span<const HullPoint> points) {
  if (points.empty()) return {};
  Circle c{points[0].x, points[0].y, 0.0};
  for (size_t i = 1; i < points.size(); ++i) {
    if (holds(c, points[i])) continue;
    c = {points[i].x, points[i].y, 0.0};
    for (size_t j = 0; j < i; ++j) {
      if (holds(c, points[j])) continue;
      c = around(points[i], points[j]);
      for (size_t k = 0; k < j; ++k) {
        if (!holds(c, points[k])) c = around(points[i], points[j], points[k]);
      }
    }
  }
  return c;
}

}  // namespace voxloom::filters
