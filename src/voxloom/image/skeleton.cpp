#include "voxloom/image/skeleton.h"

#include <algorithm>
#include <array>
#include <bit>

#include "voxloom/core/error.h"
#include "voxloom/image/neighbourhood.h"

namespace voxloom::image {
namespace {

using Code = PaddedMask::Code;
constexpr bool p(Code code, int number) {
  return neighbour(code, number);
}

/// deletable[pass][code]: may a pixel with that neighbourhood go in this pass?
using Rules = std::array<std::array<bool, 256>, 2>;

constexpr bool guo_hall_deletes(Code c, bool south_west) {
  const int crossings = (!p(c, 2) && (p(c, 3) || p(c, 4))) + (!p(c, 4) && (p(c, 5) || p(c, 6))) +
                        (!p(c, 6) && (p(c, 7) || p(c, 8))) + (!p(c, 8) && (p(c, 9) || p(c, 2)));
  const int n1 =
      (p(c, 9) || p(c, 2)) + (p(c, 3) || p(c, 4)) + (p(c, 5) || p(c, 6)) + (p(c, 7) || p(c, 8));
  const int n2 =
      (p(c, 2) || p(c, 3)) + (p(c, 4) || p(c, 5)) + (p(c, 6) || p(c, 7)) + (p(c, 8) || p(c, 9));
  const int n = n1 < n2 ? n1 : n2;
  const bool kept = south_west ? (p(c, 6) || p(c, 7) || !p(c, 9)) && p(c, 8)
                               : (p(c, 2) || p(c, 3) || !p(c, 5)) && p(c, 4);
  return crossings == 1 && n >= 2 && n <= 3 && !kept;
}

constexpr bool zhang_suen_deletes(Code c, bool second) {
  const int neighbours = std::popcount(c);
  int steps_up = 0;  // From 0 to 1 on the way round.
  for (int i = 2; i <= 9; ++i) steps_up += !p(c, i) && p(c, i == 9 ? 2 : i + 1);
  const bool a = second ? p(c, 2) && p(c, 4) && p(c, 8) : p(c, 2) && p(c, 4) && p(c, 6);
  const bool b = second ? p(c, 2) && p(c, 6) && p(c, 8) : p(c, 4) && p(c, 6) && p(c, 8);
  return neighbours >= 2 && neighbours <= 6 && steps_up == 1 && !a && !b;
}

Rules rules_of(Thinning thinning) {
  Rules rules{};
  for (size_t pass = 0; pass < 2; ++pass) {
    for (Code c = 0; c < 256; ++c) {
      // Lam, Lee and Suen's conditions are Guo and Hall's with the two passes exchanged.
      rules[pass][c] = thinning == Thinning::kZhangSuen ? zhang_suen_deletes(c, pass == 1)
                       : thinning == Thinning::kLamLee  ? guo_hall_deletes(c, pass == 1)
                                                        : guo_hall_deletes(c, pass == 0);
    }
  }
  return rules;
}

// Parallel deletion. A pixel is looked at again in a pass only when a neighbour went since this
// pass looked last: any other answer would be the same. So wide objects cost their pixels once.
void thin_parallel(PaddedMask& image, const Rules& rules) {
  std::array<std::vector<size_t>, 2> waiting;
  waiting[0] = image.foreground();
  waiting[1] = waiting[0];
  std::vector<uint8_t> queued(image.size(), 0);  // Bit k: in waiting[k].
  for (const size_t i : waiting[0]) queued[i] = 3;
  std::vector<size_t> looked, gone;
  for (size_t pass = 0; !waiting[0].empty() || !waiting[1].empty(); pass ^= 1) {
    looked.clear();
    std::swap(looked, waiting[pass]);
    gone.clear();
    for (const size_t i : looked) {
      queued[i] = static_cast<uint8_t>(queued[i] & ~(1U << pass));
      if (image[i] && rules[pass][image.code(i)]) gone.push_back(i);
    }
    for (const size_t i : gone) image.clear(i);
    for (const size_t i : gone) {
      for (size_t d = 0; d < 8; ++d) {
        const size_t j = image.next(i, d);
        if (!image[j]) continue;
        for (size_t k = 0; k < 2; ++k) {
          if ((queued[j] >> k & 1U) != 0) continue;
          queued[j] = static_cast<uint8_t>(queued[j] | 1U << k);
          waiting[k].push_back(j);
        }
      }
    }
  }
}

// Lee, Kashyap and Chu on a single slice: for each side in turn, find the border pixels of that
// side that are simple and no end of a line, then take them away one after the other as long as
// they are still simple.
void thin_by_sides(PaddedMask& image) {
  constexpr std::array<size_t, 4> kSides{0, 4, 2, 6};  // North, south, east, west.
  std::vector<size_t> alive = image.foreground(), found;
  for (bool changed = true; changed;) {
    changed = false;
    for (const size_t side : kSides) {
      found.clear();
      for (const size_t i : alive) {
        if (!image[i] || image[image.next(i, side)]) continue;
        const Code c = image.code(i);
        if (std::popcount(c) > 1 && is_simple(c)) found.push_back(i);
      }
      for (const size_t i : found) {
        if (!is_simple(image.code(i))) continue;
        image.clear(i);
        changed = true;
      }
    }
    std::erase_if(alive, [&](size_t i) { return !image[i]; });
  }
}

constexpr std::array<std::string_view, 4> kNames{"guo_hall", "zhang_suen", "lam_lee", "lee"};

}  // namespace

std::string_view thinning_name(Thinning thinning) {
  return kNames.at(static_cast<size_t>(thinning));
}

Thinning parse_thinning(std::string_view name) {
  const auto* const it = std::find(kNames.begin(), kNames.end(), name);
  VOXLOOM_CHECK(it != kNames.end(),
                ErrorCode::kInvalidArgument,
                "thinning: must be guo_hall, zhang_suen, lam_lee or lee, got '{}'",
                name);
  return static_cast<Thinning>(it - kNames.begin());
}

std::vector<uint8_t> skeletonize(std::span<const uint8_t> mask,
                                 int64_t width,
                                 int64_t height,
                                 Thinning thinning) {
  VOXLOOM_CHECK(width > 0 && height > 0 && mask.size() == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "skeleton: mask must hold {}x{} pixels, got {}",
                width,
                height,
                mask.size());
  PaddedMask image(mask, width, height);
  if (thinning == Thinning::kLee) {
    thin_by_sides(image);
  } else {
    thin_parallel(image, rules_of(thinning));
  }
  return image.cut();
}

}  // namespace voxloom::image
