#include "voxloom/infer/wire_tip.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/image/components.h"

namespace voxloom::infer {
namespace {

/// Bilinear; positions outside take the border's value.
double sample(std::span<const float> pixels, int64_t width, int64_t height, const Point2& at) {
  const double x = std::clamp(at[0], 0.0, static_cast<double>(width - 1));
  const double y = std::clamp(at[1], 0.0, static_cast<double>(height - 1));
  const auto x0 = static_cast<int64_t>(x), y0 = static_cast<int64_t>(y);
  const int64_t x1 = std::min(x0 + 1, width - 1), y1 = std::min(y0 + 1, height - 1);
  const double fx = x - static_cast<double>(x0), fy = y - static_cast<double>(y0);
  const auto value = [&](int64_t px, int64_t py) {
    return static_cast<double>(pixels[static_cast<size_t>(py * width + px)]);
  };
  return (1 - fy) * ((1 - fx) * value(x0, y0) + fx * value(x1, y0)) +
         fy * ((1 - fx) * value(x0, y1) + fx * value(x1, y1));
}

/// How far a point is from the border of the frame or of the hidden area, up to `limit` px.
double border_distance(const Point2& at,
                       const image::Frame& frame,
                       std::span<const uint8_t> hidden,
                       double limit) {
  double nearest = std::min({at[0],
                             at[1],
                             static_cast<double>(frame.width - 1) - at[0],
                             static_cast<double>(frame.height - 1) - at[1],
                             limit});
  if (hidden.empty()) return nearest;
  const auto reach = static_cast<int64_t>(std::ceil(limit));
  const auto cx = std::lround(at[0]), cy = std::lround(at[1]);
  for (int64_t y = std::max<int64_t>(0, cy - reach); y <= std::min(frame.height - 1, cy + reach);
       ++y) {
    for (int64_t x = std::max<int64_t>(0, cx - reach); x <= std::min(frame.width - 1, cx + reach);
         ++x) {
      if (hidden[static_cast<size_t>(y * frame.width + x)] == 0) continue;
      nearest = std::min(
          nearest, std::hypot(static_cast<double>(x) - at[0], static_cast<double>(y) - at[1]));
    }
  }
  return nearest;
}

/// Brightness of the sides less that of the line: mean over `line`, whose normals are found from
/// neighbouring points.
double contrast(std::span<const Point2> line, const image::Frame& frame, double side_px) {
  double sum = 0.0, count = 0.0;
  for (size_t i = 0; i < line.size(); ++i) {
    const Point2& a = line[i == 0 ? 0 : i - 1];
    const Point2& b = line[std::min(i + 1, line.size() - 1)];
    const double d = std::hypot(b[0] - a[0], b[1] - a[1]);
    if (d == 0.0) continue;
    const Point2 normal{-(b[1] - a[1]) / d, (b[0] - a[0]) / d};
    const auto at = [&](double offset) {
      return sample(frame.pixels,
                    frame.width,
                    frame.height,
                    {line[i][0] + offset * normal[0], line[i][1] + offset * normal[1]});
    };
    sum += 0.5 * (at(side_px) + at(-side_px)) - (at(-0.7) + at(0.0) + at(0.7)) / 3.0;
    count += 1.0;
  }
  return count > 0.0 ? sum / count : 0.0;
}

std::vector<Point2> end_points(std::span<const Point2> path, bool front, size_t count) {
  count = std::min(count, path.size());
  std::vector<Point2> points(front ? path.begin() : path.end() - static_cast<int64_t>(count),
                             front ? path.begin() + static_cast<int64_t>(count) : path.end());
  if (front) std::reverse(points.begin(), points.end());
  return points;
}

}  // namespace

std::vector<uint8_t> hidden_area(const image::Frame& frame) {
  constexpr float kDark = 0.02F;
  std::vector<uint8_t> dark(frame.pixels.size());
  std::transform(frame.pixels.begin(), frame.pixels.end(), dark.begin(), [](float v) -> uint8_t {
    return v < kDark;
  });
  const auto map = image::label_components(
      std::span<const uint8_t>(dark), {frame.width, frame.height, 1}, image::Connectivity::kFaces);
  std::vector<uint8_t> hidden;
  const auto smallest = static_cast<int64_t>(0.005 * static_cast<double>(frame.pixels.size()));
  std::vector<uint8_t> keep(map.components.size(), 0);
  for (size_t c = 0; c < keep.size(); ++c) {
    const auto& part = map.components[c];
    keep[c] = part.size >= std::max<int64_t>(smallest, 1) &&
              (part.box_min[0] == 0 || part.box_min[1] == 0 || part.box_max[0] == frame.width - 1 ||
               part.box_max[1] == frame.height - 1);
  }
  if (std::find(keep.begin(), keep.end(), uint8_t{1}) == keep.end()) return hidden;
  hidden.assign(frame.pixels.size(), 0);
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (keep[static_cast<size_t>(component)] != 0) {
      std::fill_n(hidden.begin() + first, length, uint8_t{1});
    }
  });
  return hidden;
}

bool tip_is_front(std::span<const Point2> path,
                  const image::Frame& frame,
                  std::span<const uint8_t> hidden,
                  const std::optional<Point2>& last_tip,
                  double scale) {
  const double margin = 6.0 * scale;
  const bool front_free = border_distance(path.front(), frame, hidden, margin) >= margin;
  const bool back_free = border_distance(path.back(), frame, hidden, margin) >= margin;
  if (front_free != back_free) return front_free;
  if (last_tip) {
    const auto away = [&](const Point2& end) {
      return std::hypot(end[0] - (*last_tip)[0], end[1] - (*last_tip)[1]);
    };
    const double front = away(path.front()), back = away(path.back());
    if (std::min(front, back) <= 40.0 * scale) return front < back;
  }
  const auto count = static_cast<size_t>(std::max(2.0, 20.0 * scale));
  if (path.size() >= 2 * count) {
    const double front = contrast(end_points(path, true, count), frame, 6.0 * scale);
    const double back = contrast(end_points(path, false, count), frame, 6.0 * scale);
    // A difference of a fifth is more than noise along 20 px usually makes.
    if (std::max(front, back) > 0.0 && std::abs(front - back) > 0.2 * std::max(front, back)) {
      return front > back;
    }
  }
  constexpr double kFar = 1e9;
  const auto to_frame = [&](const Point2& end) { return border_distance(end, frame, {}, kFar); };
  return to_frame(path.front()) > to_frame(path.back());
}

WireTip refine_tip(std::span<const Point2> line,
                   const image::Frame& frame,
                   std::span<const float> probability,
                   double width_px) {
  constexpr size_t kContrastPoints = 20, kConfidencePoints = 15, kDirectionPoints = 6;
  constexpr double kFarthest = 10.0, kStep = 0.5;
  WireTip tip{.position = line.back()};
  const size_t back = std::min(kDirectionPoints, line.size() - 1);
  const Point2& inner = line[line.size() - 1 - back];
  const double d = std::hypot(line.back()[0] - inner[0], line.back()[1] - inner[1]);
  if (d > 0.0) tip.direction = {(line.back()[0] - inner[0]) / d, (line.back()[1] - inner[1]) / d};

  const auto last = end_points(line, false, kConfidencePoints);
  for (const auto& p : last) tip.confidence += sample(probability, frame.width, frame.height, p);
  tip.confidence /= static_cast<double>(last.size());

  const double side = width_px / 2.0 + 3.0;
  const double full = contrast(end_points(line, false, kContrastPoints), frame, side);
  if (full <= 0.0 || d == 0.0) return tip;
  for (double t = kStep; t <= kFarthest; t += kStep) {
    // Three points along the way: a single pixel is mostly noise.
    std::vector<Point2> ahead;
    for (const double shift : {-0.5, 0.0, 0.5}) {
      ahead.push_back({line.back()[0] + (t + shift) * tip.direction[0],
                       line.back()[1] + (t + shift) * tip.direction[1]});
    }
    const Point2& at = ahead[1];
    if (at[0] < 0.0 || at[1] < 0.0 || at[0] > static_cast<double>(frame.width - 1) ||
        at[1] > static_cast<double>(frame.height - 1) ||
        contrast(ahead, frame, side) < 0.5 * full) {
      break;
    }
    tip.position = at;
  }
  return tip;
}

}  // namespace voxloom::infer
