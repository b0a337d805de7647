#include "voxloom/infer/wire_paths.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

#include "voxloom/image/skeleton_graph.h"

namespace voxloom::infer {
namespace {

constexpr size_t kDirectionPoints = 10;

double distance(const Point2& a, const Point2& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

Point2 unit(const Point2& from, const Point2& to) {
  const double d = distance(from, to);
  if (d == 0.0) return {0.0, 0.0};
  return {(to[0] - from[0]) / d, (to[1] - from[1]) / d};
}

double dot(const Point2& a, const Point2& b) {
  return a[0] * b[0] + a[1] * b[1];
}

using Branch = std::vector<Point2>;

/// Pieces of line between free ends and crossings, each in order.
std::vector<Branch> trace_branches(std::vector<uint8_t> line, int64_t width, int64_t height) {
  line = image::remove_corners(line, width, height);
  const auto crossing = image::junctions(line, width, height);
  for (size_t i = 0; i < line.size(); ++i) {
    if (crossing[i] != 0) line[i] = 0;
  }
  const auto degree = image::pixel_degrees(line, width, height);
  std::vector<Branch> branches;
  std::vector<uint8_t> visited(line.size(), 0);
  const auto next = [&](int64_t at) -> std::optional<int64_t> {
    const int64_t x = at % width, y = at / width;
    // Side neighbours first: a diagonal step past a side neighbour would leave that one behind.
    constexpr std::array<std::array<int, 2>, 8> kSteps{
        {{1, 0}, {0, 1}, {-1, 0}, {0, -1}, {1, 1}, {-1, 1}, {-1, -1}, {1, -1}}};
    for (const auto& [dx, dy] : kSteps) {
      if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
      const int64_t to = at + dy * width + dx;
      if (line[static_cast<size_t>(to)] != 0 && visited[static_cast<size_t>(to)] == 0) return to;
    }
    return std::nullopt;
  };
  const auto follow = [&](int64_t start) {
    Branch branch;
    for (std::optional<int64_t> at = start; at; at = next(*at)) {
      visited[static_cast<size_t>(*at)] = 1;
      branch.push_back({static_cast<double>(*at % width), static_cast<double>(*at / width)});
    }
    branches.push_back(std::move(branch));
  };
  // Free ends first, then closed loops from wherever they are met.
  for (const bool loops : {false, true}) {
    for (int64_t i = 0; i < width * height; ++i) {
      const auto k = static_cast<size_t>(i);
      if (line[k] != 0 && visited[k] == 0 && (loops || degree[k] <= 1)) follow(i);
    }
  }
  return branches;
}

/// An end of a branch: its position and the direction in which the line would go on.
struct End {
  size_t branch = 0;
  bool at_front = false;
  Point2 position{}, outward{};
};

End end_of(const std::vector<Branch>& branches, size_t index, bool at_front) {
  const Branch& b = branches[index];
  const size_t back = std::min(kDirectionPoints, b.size() - 1);
  const Point2& tip = at_front ? b.front() : b.back();
  const Point2& inner = at_front ? b[back] : b[b.size() - 1 - back];
  return {.branch = index, .at_front = at_front, .position = tip, .outward = unit(inner, tip)};
}

/// Mean probability of the straight line between two points; none when it crosses blocked pixels.
std::optional<double> bridge_probability(const Point2& a,
                                         const Point2& b,
                                         std::span<const float> probability,
                                         std::span<const uint8_t> blocked,
                                         int64_t width) {
  const auto steps = static_cast<int64_t>(std::ceil(distance(a, b)));
  double sum = 0.0;
  for (int64_t s = 0; s <= steps; ++s) {
    const double t = steps == 0 ? 0.0 : static_cast<double>(s) / static_cast<double>(steps);
    const auto x = std::lround(a[0] + t * (b[0] - a[0]));
    const auto y = std::lround(a[1] + t * (b[1] - a[1]));
    const auto i = static_cast<size_t>(y * width + x);
    if (!blocked.empty() && blocked[i] != 0) return std::nullopt;
    sum += probability[i];
  }
  return sum / static_cast<double>(steps + 1);
}

struct Join {
  double cost = 0.0, length = 0.0;
  size_t a = 0, b = 0;  ///< Indices of ends.
};

std::optional<Join> join_of(const std::vector<End>& ends,
                            size_t i,
                            size_t j,
                            std::span<const float> probability,
                            std::span<const uint8_t> blocked,
                            int64_t width,
                            const WirePathRule& rule) {
  const End &a = ends[i], &b = ends[j];
  const double d = distance(a.position, b.position);
  if (d > rule.bridge_px) return std::nullopt;
  double cos_a = 0.0, cos_b = 0.0;
  if (d <= rule.touch_px) {
    // So near, the way between the ends says little: the turn from one line into the other does.
    cos_a = cos_b = -dot(a.outward, b.outward);
    if (cos_a < 0.0) return std::nullopt;
  } else {
    const Point2 way = unit(a.position, b.position);
    cos_a = dot(a.outward, way);
    cos_b = -dot(b.outward, way);
    const double limit = std::cos(rule.bridge_angle_deg * std::numbers::pi / 180.0);
    if (cos_a < limit || cos_b < limit) return std::nullopt;
  }
  const auto seen = bridge_probability(a.position, b.position, probability, blocked, width);
  if (!seen) return std::nullopt;
  return Join{.cost = d + 15.0 * (1.0 - cos_a) + 15.0 * (1.0 - cos_b) + 30.0 * (1.0 - *seen),
              .length = d,
              .a = i,
              .b = j};
}

/// Which end is joined to which, cheapest joins first, no end twice, no rings.
std::vector<std::optional<size_t>> choose_joins(const std::vector<End>& ends,
                                                size_t branch_count,
                                                std::vector<Join> joins) {
  std::stable_sort(
      joins.begin(), joins.end(), [](const Join& x, const Join& y) { return x.cost < y.cost; });
  std::vector<std::optional<size_t>> partner(ends.size());
  std::vector<size_t> chain(branch_count);
  std::iota(chain.begin(), chain.end(), size_t{0});
  const auto root = [&](size_t i) {
    while (chain[i] != i) i = chain[i] = chain[chain[i]];
    return i;
  };
  for (const auto& join : joins) {
    if (partner[join.a] || partner[join.b]) continue;
    const size_t x = root(ends[join.a].branch), y = root(ends[join.b].branch);
    if (x == y) continue;
    chain[x] = y;
    partner[join.a] = join.b;
    partner[join.b] = join.a;
  }
  return partner;
}

/// Appends points from the path's end to `to`, about a pixel apart, and notes the gap.
void append_bridge(WirePath& path, const Point2& to) {
  const Point2 from = path.points.back();
  const double length = distance(from, to);
  const auto steps = std::max<int64_t>(1, std::lround(length));
  const size_t first = path.points.size() - 1;
  for (int64_t s = 1; s < steps; ++s) {
    const double t = static_cast<double>(s) / static_cast<double>(steps);
    path.points.push_back({from[0] + t * (to[0] - from[0]), from[1] + t * (to[1] - from[1])});
  }
  path.gaps.push_back({.first = first, .last = path.points.size(), .length_px = length});
}

}  // namespace

double path_length(std::span<const Point2> points) {
  double length = 0.0;
  for (size_t i = 1; i < points.size(); ++i) length += distance(points[i - 1], points[i]);
  return length;
}

std::vector<WirePath> trace_wire_paths(std::span<const uint8_t> skeleton,
                                       std::span<const float> probability,
                                       std::span<const uint8_t> blocked,
                                       int64_t width,
                                       int64_t height,
                                       const WirePathRule& rule) {
  const auto branches = trace_branches({skeleton.begin(), skeleton.end()}, width, height);
  std::vector<End> ends;  // Of branch b: 2 b (front) and 2 b + 1 (back).
  for (size_t b = 0; b < branches.size(); ++b) {
    ends.push_back(end_of(branches, b, true));
    ends.push_back(end_of(branches, b, false));
  }
  std::vector<Join> joins;
  for (size_t i = 0; i < ends.size(); ++i) {
    for (size_t j = i + 1; j < ends.size(); ++j) {
      if (ends[i].branch == ends[j].branch) continue;
      if (const auto join = join_of(ends, i, j, probability, blocked, width, rule)) {
        joins.push_back(*join);
      }
    }
  }
  const auto partner = choose_joins(ends, branches.size(), std::move(joins));

  std::vector<WirePath> paths;
  std::vector<uint8_t> used(branches.size(), 0);
  for (size_t start = 0; start < ends.size(); ++start) {
    // A chain starts at an end that nothing was joined to.
    if (partner[start] || used[ends[start].branch] != 0) continue;
    WirePath path;
    for (std::optional<size_t> entry = start; entry;) {
      const size_t b = ends[*entry].branch;
      used[b] = 1;
      if (!path.points.empty()) append_bridge(path, ends[*entry].position);
      if (ends[*entry].at_front) {
        path.points.insert(path.points.end(), branches[b].begin(), branches[b].end());
      } else {
        path.points.insert(path.points.end(), branches[b].rbegin(), branches[b].rend());
      }
      entry = partner[*entry ^ 1U];
    }
    // At a crossing the line was seen although its pixels belong to no branch.
    std::erase_if(path.gaps, [&](const PathGap& gap) { return gap.length_px <= rule.touch_px; });
    path.length_px = path_length(path.points);
    if (path.length_px < rule.min_length_px) continue;
    std::vector<uint8_t> bridged(path.points.size(), 0);
    for (const auto& gap : path.gaps) {
      for (size_t i = gap.first + 1; i < gap.last; ++i) bridged[i] = 1;
    }
    double sum = 0.0, count = 0.0;
    for (size_t i = 0; i < path.points.size(); ++i) {
      if (bridged[i] != 0) continue;
      sum += probability[static_cast<size_t>(std::lround(path.points[i][1]) * width +
                                             std::lround(path.points[i][0]))];
      count += 1.0;
    }
    path.mean_probability = sum / count;
    paths.push_back(std::move(path));
  }
  std::stable_sort(paths.begin(), paths.end(), [](const WirePath& a, const WirePath& b) {
    return a.length_px > b.length_px;
  });
  if (static_cast<int64_t>(paths.size()) > rule.max_wires) {
    paths.resize(static_cast<size_t>(rule.max_wires));
  }
  return paths;
}

}  // namespace voxloom::infer
