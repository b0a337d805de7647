#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace voxloom::image {

/// The thinning behind a skeleton. Numbers made from skeletons (clDice) depend on it, so every
/// report names it. Append only: names are written to reports.
enum class Thinning {
  kGuoHall,    ///< Guo and Hall, CACM 32, 1989, algorithm A1. The default: keeps diagonals.
  kZhangSuen,  ///< Zhang and Suen, CACM 27, 1984. Erases two pixels wide diagonals: to compare
               ///< only.
  kLamLee,     ///< Lam, Lee and Suen, IEEE PAMI 14, 1992; `thin` of scikit-image and MATLAB.
  kLee,  ///< Lee, Kashyap and Chu, CVGIP 56, 1994, on one slice; method "lee" of scikit-image.
};

/// "guo_hall", "zhang_suen", "lam_lee", "lee".
[[nodiscard]] std::string_view thinning_name(Thinning thinning);
/// The thinning of that name. Throws kInvalidArgument listing the names.
[[nodiscard]] Thinning parse_thinning(std::string_view name);

/// One pixel wide centre lines of mask != 0, thinned until nothing changes; pixels outside the
/// image are background. mask [height, width] -> [height, width] of 0 and 1. Time follows the
/// number of mask pixels, not their width. Throws kInvalidArgument for a wrong length.
[[nodiscard]] std::vector<uint8_t> skeletonize(std::span<const uint8_t> mask,
                                               int64_t width,
                                               int64_t height,
                                               Thinning thinning = Thinning::kGuoHall);

}  // namespace voxloom::image
