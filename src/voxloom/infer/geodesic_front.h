#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "voxloom/image/geometry.h"

namespace voxloom::infer::geodesic {

/// The grid on which fronts move. Steps are measured in the finest spacing and at most two of
/// them: slices far apart are neighbours still, although a step between them is long.
struct Lattice {
  Lattice(const image::Index3& extent, const image::Vec3& spacing_mm)
      : size(extent), stride{1, extent[0], extent[0] * extent[1]} {
    const double finest = *std::min_element(spacing_mm.begin(), spacing_mm.end());
    for (size_t a = 0; a < 3; ++a) {
      relative[a] = spacing_mm[a] / finest;
      step[a] = static_cast<float>(std::min(2.0, relative[a]));
    }
  }
  [[nodiscard]] image::Index3 position(int64_t i) const {
    // 32 bits divide several times faster than 64, and fields hold fewer voxels than that.
    const auto n = static_cast<uint32_t>(i), row = static_cast<uint32_t>(size[0]);
    const uint32_t line = n / row, height = static_cast<uint32_t>(size[1]);
    return {n - line * row, line % height, line / height};
  }
  [[nodiscard]] float longest() const { return *std::max_element(step.begin(), step.end()); }
  /// Of a voxel's faces across x, y, z, in squares of the finest spacing.
  [[nodiscard]] std::array<double, 3> face_areas() const {
    return {relative[1] * relative[2], relative[0] * relative[2], relative[0] * relative[1]};
  }

  image::Index3 size;
  std::array<int64_t, 3> stride;
  std::array<double, 3> relative{};
  std::array<float, 3> step{};
};

/// Memory of a front, one word a voxel, kept between fronts and reset by what was touched.
///
/// A word is the bit pattern of a distance (never negative): as it is when the voxel is done, with
/// the sign bit set while it waits, all ones when it was not met. Compared as unsigned numbers,
/// done voxels come in the order of their distance and before all others.
class FrontScratch {
 public:
  static constexpr uint32_t kUnmet = 0xFFFFFFFFU;
  std::vector<uint32_t> words;
  void fit(size_t voxels) {
    if (words.size() != voxels) words.assign(voxels, kUnmet);
  }
};

/// A fast-marching front with a circular bucket queue; see geodesic_growth.h for the sources.
///
///     front.seed(i);
///     while ((i = front.pop()) >= 0) for (each neighbour n) front.relax(n, at, cost(n));
class Front {
 public:
  /// `scratch` must fit and be unmet everywhere; it is so again when the front goes.
  Front(const Lattice& lattice, FrontScratch& scratch, float longest_step)
      : lattice_(lattice), words_(scratch.words.data()) {
    for (size_t a = 0; a < 3; ++a) {
      inverse_squares_[a] = 1.0F / (lattice.step[a] * lattice.step[a]);
    }
    buckets_.resize(static_cast<size_t>(longest_step / kBucket) + 3);
    bucket_ = &buckets_[0];
  }

  ~Front() {
    for (const uint32_t i : touched_) words_[i] = FrontScratch::kUnmet;
  }
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  void seed(int64_t i) {
    if (words_[i] != FrontScratch::kUnmet) return;
    words_[i] = kWaiting;
    touched_.push_back(static_cast<uint32_t>(i));
    buckets_[0].push_back(static_cast<uint32_t>(i));
    ++waiting_;
  }

  [[nodiscard]] bool done(int64_t i) const { return words_[i] < kWaiting; }

  /// The next voxel by distance, now done; -1 when there is none.
  int64_t pop() {
    while (waiting_ > 0) {
      if (taken_ == bucket_->size()) {
        bucket_->clear();
        taken_ = 0;
        ++now_;
        slot_ = slot_ + 1 == buckets_.size() ? 0 : slot_ + 1;
        bucket_ = &buckets_[slot_];
        continue;
      }
      const uint32_t i = (*bucket_)[taken_++];
      --waiting_;
      if (words_[i] < kWaiting) continue;  // Queued again with a shorter distance and done then.
      words_[i] &= ~kWaiting;
      return i;
    }
    return -1;
  }

  /// Recomputes the distance of `i`, which is not done, from its done neighbours (first-order
  /// upwind scheme) and queues it when that is shorter. Returns whether it is.
  /// `at` is the position of `i`: callers know it, and divisions are what costs here.
  bool relax(int64_t i, const image::Index3& at, float cost) {
    std::array<uint32_t, 3> nearest{};
    for (size_t a = 0; a < 3; ++a) {
      const int64_t stride = lattice_.stride[a];
      const uint32_t before = at[a] > 0 ? words_[i - stride] : FrontScratch::kUnmet;
      const uint32_t after =
          at[a] + 1 < lattice_.size[a] ? words_[i + stride] : FrontScratch::kUnmet;
      nearest[a] = std::min(before, after);
    }
    return improve(i, nearest, cost);
  }

  /// The same for a voxel with neighbours on all sides.
  bool relax_inner(int64_t i, float cost) {
    std::array<uint32_t, 3> nearest{};
    for (size_t a = 0; a < 3; ++a) {
      const int64_t stride = lattice_.stride[a];
      nearest[a] = std::min(words_[i - stride], words_[i + stride]);
    }
    return improve(i, nearest, cost);
  }

 private:
  static constexpr uint32_t kWaiting = 0x80000000U;
  static constexpr float kBucket = 0.01F;

  static float value_of(uint32_t word) {
    float value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }

  bool improve(int64_t i, std::array<uint32_t, 3> nearest, float cost) {
    std::array<float, 3> weight = inverse_squares_;
    // Sorted; those of axes without a done neighbour come last.
    const auto order = [&](size_t a, size_t b) {
      if (nearest[b] >= nearest[a]) return;
      std::swap(nearest[a], nearest[b]);
      std::swap(weight[a], weight[b]);
    };
    order(0, 1);
    order(1, 2);
    order(0, 1);
    if (nearest[0] >= kWaiting) return false;
    const float solved = solve(nearest, weight, cost);
    uint32_t word;
    std::memcpy(&word, &solved, sizeof word);
    const uint32_t old = words_[i];
    if (word >= (old & ~kWaiting)) return false;
    if (old == FrontScratch::kUnmet) touched_.push_back(static_cast<uint32_t>(i));
    words_[i] = word | kWaiting;
    const auto bucket = static_cast<size_t>(solved * (1.0F / kBucket));
    const size_t ahead = bucket <= now_ ? 0 : std::min(bucket - now_, buckets_.size() - 1);
    const size_t slot = slot_ + ahead;
    buckets_[slot < buckets_.size() ? slot : slot - buckets_.size()].push_back(
        static_cast<uint32_t>(i));
    ++waiting_;
    return true;
  }

  // Largest root of sum weight (D - value)^2 = cost^2 over the axes that come before it.
  static float solve(const std::array<uint32_t, 3>& nearest,
                     const std::array<float, 3>& weight,
                     float cost) {
    const float first = value_of(nearest[0]);
    float best = first + cost / std::sqrt(weight[0]);
    // Values are taken relative to the first: no digits are lost far from the seeds.
    float a = weight[0], b = 0.0F, c = -cost * cost;
    for (size_t k = 1; k < 3; ++k) {
      if (nearest[k] >= kWaiting) break;
      const float value = value_of(nearest[k]);
      if (best <= value) break;
      const float w = weight[k], d = value - first;
      a += w;
      b += w * d;
      c += w * d * d;
      const float inside = b * b - a * c;
      if (inside < 0.0F) break;
      best = std::min(best, first + (b + std::sqrt(inside)) / a);
    }
    return best;
  }

  const Lattice& lattice_;
  uint32_t* words_;
  std::array<float, 3> inverse_squares_{};
  std::vector<std::vector<uint32_t>> buckets_;
  std::vector<uint32_t>* bucket_;  ///< That of now_, in slot_.
  std::vector<uint32_t> touched_;
  size_t now_ = 0, slot_ = 0, taken_ = 0, waiting_ = 0;
};

}  // namespace voxloom::infer::geodesic
