#pragma once

#include <cstdint>
#include <span>

namespace voxloom::filters {

/// Where a template is found.
struct Match {
  double dx = 0.0, dy = 0.0;  ///< Offset of the best place.
  double ncc = -1.0;          ///< -1: none (the template is flat or leaves the image).
};

/// A grey image for matching.
struct MatchImage {
  const float* pixels = nullptr;
  int64_t width = 0, height = 0;
};

/// The offset within `search` px of (guess_x, guess_y) at which the square of side 2 half + 1
/// around (x, y) of `from` correlates best with `in`. The square at (x, y) must lie inside; offsets
/// that leave `in` are skipped. kSubPixel: the top of a quadratic surface through
/// the best value and its 8 neighbours.
enum class Precision { kPixel, kSubPixel };
[[nodiscard]] Match match_template(const MatchImage& from,
                                   const MatchImage& in,
                                   int64_t x,
                                   int64_t y,
                                   int64_t half,
                                   int64_t guess_x,
                                   int64_t guess_y,
                                   int64_t search,
                                   Precision precision);

}  // namespace voxloom::filters
