// Areas of the surface pieces of a 2x2x2 neighbourhood, worked out from geometry rather than
// listed.
//
// The cell's corners are the eight voxel centres. Every cell edge between an inside and an outside
// corner is cut in its middle. On each of the six faces the cuts are joined in pairs; going round
// the surface over the faces gives closed polygons. Two choices have to be made:
// - a face with two inside corners on its diagonal can be joined in two ways. The way that gives
//   the smaller total area, in voxel units, is taken for the whole cell;
// - a polygon of more than three vertices is not flat in general and is cut into a fan of
// triangles.
//   The fan with the largest area in voxel units is taken (the mean of those that share it).
// For cubic voxels these rules give the published program's areas for all 256 cases; otherwise they
// differ from it by a few percent in cells with bent polygons.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "voxloom/metrics/surface.h"

namespace voxloom::metrics {
namespace {

using image::Vec3;
using Polygon = std::vector<Vec3>;

int corner_bit(const std::array<int, 3>& p) {
  return p[0] + 2 * p[1] + 4 * p[2];
}

/// A cut cell edge: its middle in cell coordinates, and whether a walk round the face goes from
/// inside to outside there.
struct Cut {
  Vec3 at{};
  bool leaves = false;
};

/// The cuts of one face in the order of a walk that is the same seen from outside for all faces.
std::vector<Cut> face_cuts(int code, size_t axis, int side) {
  const size_t u = (axis + 1) % 3, v = (axis + 2) % 3;
  std::array<std::array<int, 3>, 4> ring{};
  constexpr int kU[] = {0, 1, 1, 0}, kV[] = {0, 0, 1, 1};
  for (size_t i = 0; i < 4; ++i) {
    const size_t k = side == 1 ? i : 3 - i;
    ring[i][axis] = side;
    ring[i][u] = kU[k];
    ring[i][v] = kV[k];
  }
  std::vector<Cut> cuts;
  for (size_t i = 0; i < 4; ++i) {
    const auto& a = ring[i];
    const auto& b = ring[(i + 1) % 4];
    const bool a_in = (code >> corner_bit(a) & 1) != 0, b_in = (code >> corner_bit(b) & 1) != 0;
    if (a_in == b_in) continue;
    Cut cut;
    for (size_t k = 0; k < 3; ++k) cut.at[k] = 0.5 * (a[k] + b[k]);
    cut.leaves = a_in;
    cuts.push_back(cut);
  }
  return cuts;
}

/// The closed polygons of one cell; `join` says whether diagonal inside corners are connected.
std::vector<Polygon> cell_polygons(int code, bool join) {
  std::vector<std::pair<Vec3, Vec3>> steps;
  for (size_t axis = 0; axis < 3; ++axis) {
    for (int side = 0; side < 2; ++side) {
      const auto cuts = face_cuts(code, axis, side);
      for (size_t i = 0; i < cuts.size(); ++i) {
        if (!cuts[i].leaves) continue;
        const size_t j = (i + (join ? 1 : cuts.size() - 1)) % cuts.size();
        steps.emplace_back(cuts[i].at, cuts[j].at);
      }
    }
  }
  std::vector<Polygon> polygons;
  while (!steps.empty()) {
    Polygon polygon{steps.back().first};
    Vec3 at = steps.back().second;
    steps.pop_back();
    while (at != polygon.front()) {
      polygon.push_back(at);
      const auto next =
          std::find_if(steps.begin(), steps.end(), [&](const auto& s) { return s.first == at; });
      at = next->second;
      steps.erase(next);
    }
    polygons.push_back(std::move(polygon));
  }
  return polygons;
}

/// Area of the fan of triangles around vertex `start`.
double fan_area(const Polygon& p, size_t start, const Vec3& spacing) {
  const size_t n = p.size();
  const auto edge = [&](size_t i) {
    Vec3 e{};
    for (size_t k = 0; k < 3; ++k) e[k] = (p[(start + i) % n][k] - p[start][k]) * spacing[k];
    return e;
  };
  double area = 0.0;
  for (size_t i = 1; i + 1 < n; ++i) {
    const Vec3 a = edge(i), b = edge(i + 1);
    area +=
        0.5 *
        std::hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]);
  }
  return area;
}

/// Area of one polygon, and the area in voxel units by which the rules above decide.
struct PolygonArea {
  double voxel_units = 0.0, mm2 = 0.0;
};

PolygonArea polygon_area(const Polygon& polygon, const Vec3& spacing) {
  PolygonArea best;
  int ties = 0;
  for (size_t start = 0; start < polygon.size(); ++start) {
    const double units = fan_area(polygon, start, {1.0, 1.0, 1.0});
    const double mm2 = fan_area(polygon, start, spacing);
    if (units > best.voxel_units + 1e-9) {
      best = {units, mm2};
      ties = 1;
    } else if (units > best.voxel_units - 1e-9) {
      best.mm2 += mm2;
      ++ties;
    }
  }
  best.mm2 /= std::max(1, ties);
  return best;
}

PolygonArea cell_area(int code, bool join, const Vec3& spacing) {
  PolygonArea sum;
  for (const Polygon& polygon : cell_polygons(code, join)) {
    const PolygonArea area = polygon_area(polygon, spacing);
    sum.voxel_units += area.voxel_units;
    sum.mm2 += area.mm2;
  }
  return sum;
}

}  // namespace

std::array<double, 256> surface_element_area(const Vec3& spacing_mm) {
  std::array<double, 256> areas{};
  for (int code = 0; code < 256; ++code) {
    const PolygonArea apart = cell_area(code, false, spacing_mm);
    const PolygonArea joined = cell_area(code, true, spacing_mm);
    const bool use_joined = joined.voxel_units < apart.voxel_units - 1e-9;
    areas[static_cast<size_t>(code)] = use_joined ? joined.mm2 : apart.mm2;
  }
  return areas;
}

}  // namespace voxloom::metrics
