#include "voxloom/image/contour.h"

#include <algorithm>
#include <cstddef>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

void check_length(size_t length, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && length == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "contour: mask must hold {}x{} pixels, got {}",
                width,
                height,
                length);
}

// Directions in clockwise order with y down: turning right is +1.
enum Direction : int { kRight = 0, kDown = 1, kLeft = 2, kUp = 3 };
constexpr int32_t kStepX[] = {1, 0, -1, 0};
constexpr int32_t kStepY[] = {0, 1, 0, -1};

/// Directed pixel edges, one bit per direction on the corner where the edge starts.
class EdgeMap {
 public:
  EdgeMap(std::span<const uint8_t> mask, int64_t width, int64_t height)
      : stride_(width + 1), edges_(static_cast<size_t>((width + 1) * (height + 1)), 0) {
    const auto at = [&](int64_t x, int64_t y) {
      return x >= 0 && y >= 0 && x < width && y < height &&
             mask[static_cast<size_t>(y * width + x)] != 0;
    };
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        if (!at(x, y)) continue;
        if (!at(x, y - 1)) add(x, y, kRight);
        if (!at(x + 1, y)) add(x + 1, y, kDown);
        if (!at(x, y + 1)) add(x + 1, y + 1, kLeft);
        if (!at(x - 1, y)) add(x, y + 1, kUp);
      }
    }
  }

  [[nodiscard]] bool has(int64_t x, int64_t y, int d) const {
    return (edges_[index(x, y)] >> d & 1) != 0;
  }
  void remove(int64_t x, int64_t y, int d) {
    edges_[index(x, y)] = static_cast<uint8_t>(edges_[index(x, y)] & ~(1 << d));
  }

 private:
  [[nodiscard]] size_t index(int64_t x, int64_t y) const {
    return static_cast<size_t>(y * stride_ + x);
  }
  void add(int64_t x, int64_t y, int d) {
    edges_[index(x, y)] = static_cast<uint8_t>(edges_[index(x, y)] | 1 << d);
  }

  int64_t stride_;
  std::vector<uint8_t> edges_;
};

// Follows edges from (x, y) towards the right until the line closes. Where two lines meet at a
// corner the right turn stays with the same pixel; so a line that comes back upwards is closed even
// when another one leaves from its first corner.
Contour follow(EdgeMap& edges, int32_t x, int32_t y) {
  Contour contour;
  const int32_t x0 = x, y0 = y;
  int before = -1;
  for (int d = kRight; d >= 0;) {
    if (d != before) contour.push_back({x, y});
    edges.remove(x, y, d);
    x += kStepX[d];
    y += kStepY[d];
    before = d;
    d = -1;
    if (x == x0 && y == y0 && before == kUp) break;
    for (const int turn : {1, 0, 3}) {
      const int next = (before + turn) % 4;
      if (d < 0 && edges.has(x, y, next)) d = next;
    }
  }
  return contour;
}

}  // namespace

std::vector<uint8_t> inner_boundary(std::span<const uint8_t> mask,
                                    int64_t width,
                                    int64_t height,
                                    int64_t thickness) {
  check_length(mask.size(), width, height);
  // Erosion by a square, one axis after the other; outside the image counts as background.
  const auto eroded_line = [thickness](auto get, auto set, int64_t n) {
    int64_t background = -1;  // Last background position seen.
    std::vector<uint8_t> keep(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      if (!get(i)) background = i;
      keep[static_cast<size_t>(i)] = i - background > thickness;
    }
    background = n;
    for (int64_t i = n - 1; i >= 0; --i) {
      if (!get(i)) background = i;
      set(i, keep[static_cast<size_t>(i)] != 0 && background - i > thickness);
    }
  };
  std::vector<uint8_t> inner(mask.size());
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* const row = mask.data() + y * width;
    uint8_t* const out = inner.data() + y * width;
    eroded_line(
        [=](int64_t x) { return row[x] != 0; }, [=](int64_t x, bool in) { out[x] = in; }, width);
  }
  for (int64_t x = 0; x < width; ++x) {
    uint8_t* const column = inner.data() + x;
    eroded_line([=](int64_t y) { return column[y * width] != 0; },
                [=](int64_t y, bool in) { column[y * width] = in; },
                height);
  }
  for (size_t i = 0; i < inner.size(); ++i) inner[i] = mask[i] != 0 && inner[i] == 0;
  return inner;
}

std::vector<Contour> trace_contours(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  check_length(mask.size(), width, height);
  EdgeMap edges(mask, width, height);
  std::vector<Contour> contours;
  for (int32_t y = 0; y <= height; ++y) {
    for (int32_t x = 0; x <= width; ++x) {
      if (edges.has(x, y, kRight)) contours.push_back(follow(edges, x, y));
    }
  }
  return contours;
}

double contour_area(const Contour& contour) {
  int64_t twice = 0;
  for (size_t i = 0; i < contour.size(); ++i) {
    const auto& a = contour[i];
    const auto& b = contour[(i + 1) % contour.size()];
    twice += int64_t{a[0]} * b[1] - int64_t{b[0]} * a[1];
  }
  return 0.5 * static_cast<double>(twice);
}

}  // namespace voxloom::image
