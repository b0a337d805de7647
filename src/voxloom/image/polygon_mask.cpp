#include "voxloom/image/polygon_mask.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

constexpr int64_t kFine = 5;            // Fine columns a pixel.
constexpr int64_t kMiddle = kFine / 2;  // The fine column, and row, in a pixel's middle.
constexpr double kMaxCoordinate = 1e6;
constexpr size_t kMaxCrossings = size_t{1} << 26;

struct FinePoint {
  int64_t x = 0, y = 0;
};

int64_t nearest(double v) {
  return static_cast<int64_t>(v + 0.5);
}

// Drawn from its lower end on the longer axis, so that both directions give the same points.
class FineEdge {
 public:
  FineEdge(FinePoint a, FinePoint b) {
    const int64_t dx = std::abs(b.x - a.x), dy = std::abs(b.y - a.y);
    flat_ = dx >= dy;
    if (flat_ ? a.x > b.x : a.y > b.y) std::swap(a, b);
    start_ = a;
    steps_ = flat_ ? dx : dy;
    slope_ = steps_ == 0
                 ? 0.0
                 : static_cast<double>(flat_ ? b.y - a.y : b.x - a.x) / static_cast<double>(steps_);
  }

  /// At least as many as crossings() reports.
  [[nodiscard]] int64_t columns(int64_t width) const {
    const int64_t x_end = point(steps_).x;
    const int64_t lo = std::max<int64_t>(std::min(start_.x, x_end), 0);
    const int64_t hi = std::min(std::max(start_.x, x_end), kFine * width);
    return hi > lo ? (hi - lo) / kFine + 1 : 0;
  }

  /// Calls fn(c, row) for each pair of points that follow each other in the fine columns c and
  /// c + 1, where c is the middle of a pixel column below `width`; row is the upper one's.
  template <class Fn>
  void crossings(int64_t width, Fn fn) const {
    const int64_t x_end = point(steps_).x;
    const int64_t lo = std::max<int64_t>(std::min(start_.x, x_end), 0);
    const int64_t hi = std::min(std::max(start_.x, x_end), kFine * width);
    for (int64_t c = (lo + kFine - 1 - kMiddle) / kFine * kFine + kMiddle; c < hi; c += kFine) {
      if (c < lo) continue;
      const int64_t t = flat_ ? c - start_.x : last_before_crossing(c);
      fn(c, std::min(point(t).y, point(t + 1).y));
    }
  }

 private:
  [[nodiscard]] FinePoint point(int64_t t) const {
    const auto along = static_cast<double>(t);
    if (flat_) return {start_.x + t, nearest(static_cast<double>(start_.y) + slope_ * along)};
    return {nearest(static_cast<double>(start_.x) + slope_ * along), start_.y + t};
  }

  // Steep edges: the last t whose point lies on the starting side of the border between c and
  // c + 1. x changes in one direction only.
  [[nodiscard]] int64_t last_before_crossing(int64_t c) const {
    const bool right = slope_ > 0;
    int64_t before = 0, after = steps_;
    while (after - before > 1) {
      const int64_t t = before + (after - before) / 2;
      const bool crossed = right ? point(t).x > c : point(t).x <= c;
      (crossed ? after : before) = t;
    }
    return before;
  }

  FinePoint start_;
  int64_t steps_ = 0;
  double slope_ = 0.0;
  bool flat_ = true;
};

}  // namespace

Rle polygon_rle(std::span<const Point2> polygon, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && width <= kMaxRlePixels && height <= kMaxRlePixels &&
                    width * height <= kMaxRlePixels,
                ErrorCode::kInvalidArgument,
                "polygon: size must be positive and hold at most {} pixels, got {}x{}",
                kMaxRlePixels,
                width,
                height);
  VOXLOOM_CHECK(polygon.size() >= 3,
                ErrorCode::kInvalidArgument,
                "polygon: must have at least 3 vertices, got {}",
                polygon.size());
  std::vector<FinePoint> fine;
  fine.reserve(polygon.size());
  for (const Point2& v : polygon) {
    for (const double c : v) {
      VOXLOOM_CHECK(std::abs(c) <= kMaxCoordinate,
                    ErrorCode::kInvalidArgument,
                    "polygon: coordinates must lie within +-{} pixels, got {}",
                    kMaxCoordinate,
                    c);
    }
    fine.push_back({nearest(kFine * v[0]), nearest(kFine * v[1])});
  }
  // In column order, inside and outside change places at each of these pixels.
  std::vector<int64_t> changes;
  for (size_t i = 0; i < fine.size(); ++i) {
    const FineEdge edge(fine[i], fine[(i + 1) % fine.size()]);
    VOXLOOM_CHECK(
        changes.size() + static_cast<size_t>(edge.columns(width)) <= kMaxCrossings,
        ErrorCode::kInvalidArgument,
        "polygon: edges must cross at most {} pixel columns in all, got more at vertex {}",
        kMaxCrossings,
        i);
    edge.crossings(width, [&](int64_t c, int64_t row) {
      const int64_t y = row <= kMiddle ? 0 : (row - kMiddle + kFine - 1) / kFine;
      changes.push_back((c - kMiddle) / kFine * height + std::min(y, height));
    });
  }
  std::sort(changes.begin(), changes.end());
  Rle rle{height, width, {}};
  int64_t at = 0;
  for (size_t i = 0; i < changes.size();) {
    size_t same = i;
    while (same < changes.size() && changes[same] == changes[i]) ++same;
    if ((same - i) % 2 == 1 && changes[i] < width * height) {
      rle.counts.push_back(static_cast<uint32_t>(changes[i] - at));
      at = changes[i];
    }
    i = same;
  }
  rle.counts.push_back(static_cast<uint32_t>(width * height - at));
  return rle;
}

std::vector<uint8_t> polygons_mask(std::span<const std::vector<Point2>> polygons,
                                   int64_t width,
                                   int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && width <= kMaxRlePixels && height <= kMaxRlePixels &&
                    width * height <= kMaxRlePixels,
                ErrorCode::kInvalidArgument,
                "polygon: size must be positive and hold at most {} pixels, got {}x{}",
                kMaxRlePixels,
                width,
                height);
  std::vector<uint8_t> mask(static_cast<size_t>(width * height), 0);
  for (const auto& polygon : polygons) {
    const Rle rle = polygon_rle(polygon, width, height);
    int64_t at = 0;
    for (size_t i = 0; i < rle.counts.size(); ++i) {
      const int64_t end = at + rle.counts[i];
      for (; i % 2 == 1 && at < end; ++at) {
        mask[static_cast<size_t>(at % height * width + at / height)] = 1;
      }
      at = end;
    }
  }
  return mask;
}

}  // namespace voxloom::image
