#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/infer/geodesic_field.h"
#include "voxloom/infer/geodesic_front.h"

namespace voxloom::infer::geodesic {

/// What the object looks like around its seeds: a robust mean and spread of denoised intensities.
struct Appearance {
  double mean = 0.0, spread = 1.0;
  /// For boxes, which show the surroundings too: how foreign an intensity is, within [0, 1], in
  /// equal bins from `lowest` on; empty when nothing is known.
  std::vector<float> foreign;
  double lowest = 0.0, bins_per_unit = 0.0;
};

/// Median and scaled median deviation of `voxels`, the spread at least that of the noise.
[[nodiscard]] Appearance measure(const Field& field, std::span<const int64_t> voxels);

/// How hard the terms of the local cost count.
struct CostWeights {
  double step = 0.03;       ///< A voxel in a uniform part of the object.
  double deviation = 0.25;  ///< Times the squared deviation in spreads, beyond one spread.
  double edge = 1.0;        ///< Times the squared edge strength.
};

/// The local cost of passing a voxel for an object of this appearance.
class LocalCost {
 public:
  LocalCost(const Field& field, const Appearance& appearance, const CostWeights& weights);
  [[nodiscard]] float operator()(int64_t i) const {
    const auto at = static_cast<size_t>(i);
    float d = (smooth_[at] < mean_ ? mean_ - smooth_[at] : smooth_[at] - mean_) * inverse_ - 1.0F;
    d = d < 0.0F ? 0.0F : (d > kFarthest ? kFarthest : d);
    d *= d;
    if (!foreign_.empty()) {
      const float bin = std::clamp((smooth_[at] - lowest_) * bins_per_unit_, 0.0F, last_bin_);
      d = std::max(d, kFarthest * kFarthest * foreign_[static_cast<size_t>(bin)]);
    }
    return step_ + deviation_ * d + edge_weight_ * edge_[at] * edge_[at];
  }
  [[nodiscard]] float highest() const {
    return step_ + deviation_ * kFarthest * kFarthest + edge_weight_;
  }

 private:
  static constexpr float kFarthest = 6.0F;
  const float* smooth_;
  const float* edge_;
  float mean_, inverse_, step_, deviation_, edge_weight_;
  std::vector<float> foreign_;
  float lowest_ = 0.0F, bins_per_unit_ = 0.0F, last_bin_ = 0.0F;
};

/// The voxels in the order in which the front reached them, and how good a border the front was.
struct Growth {
  std::vector<uint32_t> order;  ///< Field indices; prefixes are the level sets.
  std::vector<float> score;     ///< Mean edge strength along the front of each prefix.
  bool touched_side = false;    ///< Came to a side of the field that is no side of the volume.
};

/// Grows a front from `seeds` by geodesic distance until it has clearly left the object.
///
/// The distance solves |grad D| = cost by fast marching (Sethian, PNAS 93, 1996) with a bucket
/// queue (Yatziv, Bartesaghi and Sapiro, J. Comput. Phys. 212, 2006: linear time, serial and so
/// deterministic). While the front moves, the mean edge strength along it is kept up to date for
/// every level set at the price of six sums a voxel; the best border is where it is highest (after
/// the average-contrast rule of Hojjatoleslami and Kittler, IEEE TIP 7, 1998).
///
/// `slices`: first and last slice of the volume that may be entered. `blocked` [D, H, W] or empty:
/// voxels that may not be. Neither makes a border of the front.
[[nodiscard]] Growth grow(const Field& field,
                          const image::Index3& volume_size,
                          std::span<const int64_t> seeds,
                          const LocalCost& cost,
                          const std::array<int64_t, 2>& slices,
                          std::span<const uint8_t> blocked,
                          FrontScratch& scratch,
                          const CancelToken& stop);

/// How many voxels of `growth.order` make the best level set, among the first `limit`.
/// `expected`: about how many voxels the object should have; 0 when that is not known.
[[nodiscard]] size_t best_prefix(const Growth& growth,
                                 size_t seeds,
                                 size_t limit,
                                 double expected = 0.0);

/// Mean edge strength, within [0, 1), along the border of the first `prefix` voxels.
[[nodiscard]] double edge_along_border(const Growth& growth, size_t prefix);

}  // namespace voxloom::infer::geodesic
