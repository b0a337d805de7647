#include "voxloom/image/skeleton_graph.h"

#include <bit>
#include <functional>
#include <numbers>
#include <queue>
#include <tuple>

#include "voxloom/core/error.h"
#include "voxloom/image/neighbourhood.h"

namespace voxloom::image {
namespace {

using Code = PaddedMask::Code;

PaddedMask padded(std::span<const uint8_t> skeleton, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && skeleton.size() == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "skeleton: mask must hold {}x{} pixels, got {}",
                width,
                height,
                skeleton.size());
  return {skeleton, width, height};
}

bool is_corner(Code c) {
  const bool n = neighbour(c, 2), e = neighbour(c, 4), s = neighbour(c, 6), w = neighbour(c, 8);
  return n != s && e != w && is_simple(c);
}

bool clear_corner(PaddedMask& image, size_t i) {
  if (!image[i] || !is_corner(image.code(i))) return false;
  image.clear(i);
  return true;
}

void clear_corners(PaddedMask& image) {
  for (const size_t i : image.foreground()) clear_corner(image, i);
}

int degree(const PaddedMask& image, size_t i) {
  return std::popcount(image.code(i));
}

/// A way from a free end towards a junction.
struct Branch {
  std::vector<size_t> pixels;  ///< From the end, the junction left out.
  size_t root = 0;             ///< The junction pixel.
  double length = 0.0;
  bool is_spur = false;  ///< It reaches a junction.
};

Branch trace(const PaddedMask& image, size_t end) {
  Branch branch;
  size_t before = end, here = end;
  while (true) {
    branch.pixels.push_back(here);
    // Sides first: of two ways on, the shorter step leads along the line.
    size_t ahead = here, direction = 0;
    for (const size_t d :
         {size_t{0}, size_t{2}, size_t{4}, size_t{6}, size_t{1}, size_t{3}, size_t{5}, size_t{7}}) {
      const size_t j = image.next(here, d);
      if (image[j] && j != before) {
        ahead = j;
        direction = d;
        break;
      }
    }
    if (ahead == here) return branch;  // The other end: a line without a junction.
    branch.length += direction % 2 == 0 ? 1.0 : std::numbers::sqrt2;
    before = here;
    here = ahead;
    if (degree(image, here) >= 3) break;
  }
  branch.root = here;
  branch.is_spur = true;
  return branch;
}

// What a removed spur leaves at its root: a corner, or a pixel beside the line.
void tidy_root(PaddedMask& image, size_t root) {
  std::vector<size_t> around{root};
  for (size_t d = 0; d < 8; ++d) around.push_back(image.next(root, d));
  for (const size_t i : around) {
    if (!image[i]) continue;
    const Code c = image.code(i);
    if (std::popcount(c) >= 3 && is_simple(c)) image.clear(i);
  }
  for (const size_t i : around) clear_corner(image, i);
}

}  // namespace

std::vector<uint8_t> pixel_degrees(std::span<const uint8_t> skeleton,
                                   int64_t width,
                                   int64_t height) {
  const PaddedMask image = padded(skeleton, width, height);
  std::vector<uint8_t> out(skeleton.size(), 0);
  for (const size_t i : image.foreground()) {
    out[image.inner(i)] = static_cast<uint8_t>(degree(image, i));
  }
  return out;
}

std::vector<uint8_t> remove_corners(std::span<const uint8_t> skeleton,
                                    int64_t width,
                                    int64_t height) {
  PaddedMask image = padded(skeleton, width, height);
  clear_corners(image);
  return image.cut();
}

std::vector<uint8_t> junctions(std::span<const uint8_t> skeleton, int64_t width, int64_t height) {
  PaddedMask image = padded(skeleton, width, height);
  clear_corners(image);
  std::vector<uint8_t> out(skeleton.size(), 0);
  for (const size_t i : image.foreground()) out[image.inner(i)] = degree(image, i) >= 3;
  return out;
}

std::vector<uint8_t> prune_spurs(std::span<const uint8_t> skeleton,
                                 int64_t width,
                                 int64_t height,
                                 const SpurRule& rule) {
  PaddedMask image = padded(skeleton, width, height);
  VOXLOOM_CHECK(rule.radius_px.empty() || rule.radius_px.size() == skeleton.size(),
                ErrorCode::kInvalidArgument,
                "skeleton: radius map must hold {}x{} pixels, got {}",
                width,
                height,
                rule.radius_px.size());
  clear_corners(image);
  const auto too_short = [&](const Branch& b) {
    if (!b.is_spur) return false;
    double least = rule.min_length_px;
    if (!rule.radius_px.empty()) {
      least = std::max(
          least, rule.radius_factor * static_cast<double>(rule.radius_px[image.inner(b.root)]));
    }
    return b.length < least;
  };
  // Taking one spur away can only lengthen the others (their junction may become an inner pixel),
  // so a length in the queue is a lower bound and is checked when its turn comes.
  using Entry = std::tuple<double, size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  const auto push = [&](size_t end) {
    const Branch b = trace(image, end);
    if (too_short(b)) queue.emplace(b.length, end);
  };
  for (const size_t i : image.foreground()) {
    if (degree(image, i) == 1) push(i);
  }
  while (!queue.empty()) {
    const auto [length, end] = queue.top();
    queue.pop();
    if (!image[end] || degree(image, end) != 1) continue;
    const Branch b = trace(image, end);
    if (!too_short(b)) continue;
    if (b.length > length) {
      queue.emplace(b.length, end);
      continue;
    }
    for (const size_t i : b.pixels) image.clear(i);
    tidy_root(image, b.root);
    // The root itself may have become an end.
    for (size_t d = 0; d < 8; ++d) {
      const size_t j = image.next(b.root, d);
      if (image[j] && degree(image, j) == 1) push(j);
    }
    if (image[b.root] && degree(image, b.root) == 1) push(b.root);
  }
  return image.cut();
}

}  // namespace voxloom::image
