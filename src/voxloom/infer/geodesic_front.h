#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
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

/// A fast-marching front with a circular bucket queue; see geodesic_growth.h for the sources.
///
///     front.seed(i);
///     while ((i = front.pop()) >= 0) for (each neighbour n) front.relax(n, at, cost(n));
class Front {
 public:
  /// `distance` must be infinite and `state` 0 everywhere; they are so again when the front goes.
  Front(const Lattice& lattice,
        std::span<float> distance,
        std::span<uint8_t> state,
        float longest_step)
      : lattice_(lattice), distance_(distance), state_(state) {
    buckets_.resize(static_cast<size_t>(longest_step / kBucket) + 3);
  }

  ~Front() { reset(); }
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  void seed(int64_t i) {
    if (distance_[static_cast<size_t>(i)] == 0.0F) return;
    distance_[static_cast<size_t>(i)] = 0.0F;
    touched_.push_back(static_cast<uint32_t>(i));
    buckets_[0].push_back(static_cast<uint32_t>(i));
    ++waiting_;
  }

  [[nodiscard]] bool done(int64_t i) const { return state_[static_cast<size_t>(i)] != 0; }
  [[nodiscard]] float distance(int64_t i) const { return distance_[static_cast<size_t>(i)]; }

  /// The next voxel by distance, now done; -1 when there is none.
  int64_t pop() {
    while (waiting_ > 0) {
      auto& bucket = buckets_[now_ % buckets_.size()];
      if (taken_ == bucket.size()) {
        bucket.clear();
        taken_ = 0;
        ++now_;
        continue;
      }
      const uint32_t i = bucket[taken_++];
      --waiting_;
      if (state_[i] != 0) continue;  // Queued again with a shorter distance and done then.
      state_[i] = 1;
      return i;
    }
    return -1;
  }

  /// Recomputes the distance of `i`, which is not done, from its done neighbours (first-order
  /// upwind scheme) and queues it when that is shorter. Returns whether it is.
  /// `at` is the position of `i`: callers know it, and divisions are what costs here.
  bool relax(int64_t i, const image::Index3& at, float cost) {
    std::array<float, 3> value{}, width{};
    int count = 0;
    for (size_t a = 0; a < 3; ++a) {
      float nearest = std::numeric_limits<float>::infinity();
      const int64_t stride = lattice_.stride[a];
      if (at[a] > 0 && done(i - stride)) nearest = distance(i - stride);
      if (at[a] + 1 < lattice_.size[a] && done(i + stride)) {
        nearest = std::min(nearest, distance(i + stride));
      }
      if (std::isinf(nearest)) continue;
      // Sorted by value.
      int slot = count++;
      for (; slot > 0 && value[static_cast<size_t>(slot) - 1] > nearest; --slot) {
        value[static_cast<size_t>(slot)] = value[static_cast<size_t>(slot) - 1];
        width[static_cast<size_t>(slot)] = width[static_cast<size_t>(slot) - 1];
      }
      value[static_cast<size_t>(slot)] = nearest;
      width[static_cast<size_t>(slot)] = lattice_.step[a];
    }
    if (count == 0) return false;
    const float solved = solve(value, width, count, cost);
    float& old = distance_[static_cast<size_t>(i)];
    if (solved >= old) return false;
    if (std::isinf(old)) touched_.push_back(static_cast<uint32_t>(i));
    old = solved;
    const auto bucket = std::max(now_, static_cast<size_t>(solved / kBucket));
    buckets_[std::min(bucket, now_ + buckets_.size() - 1) % buckets_.size()].push_back(
        static_cast<uint32_t>(i));
    ++waiting_;
    return true;
  }

 private:
  void reset() {
    for (const uint32_t i : touched_) {
      distance_[i] = std::numeric_limits<float>::infinity();
      state_[i] = 0;
    }
  }

  static constexpr float kBucket = 0.01F;

  // Largest root of sum ((D - value) / width)^2 = cost^2 over the axes that come before it.
  static float solve(const std::array<float, 3>& value,
                     const std::array<float, 3>& width,
                     int count,
                     float cost) {
    float best = value[0] + width[0] * cost;
    float a = 0.0F, b = 0.0F, c = -cost * cost;
    for (int k = 0; k < count; ++k) {
      const auto i = static_cast<size_t>(k);
      if (k > 0 && best <= value[i]) break;
      const float w = 1.0F / (width[i] * width[i]);
      a += w;
      b += w * value[i];
      c += w * value[i] * value[i];
      if (k == 0) continue;
      const float inside = b * b - a * c;
      if (inside < 0.0F) break;
      best = std::min(best, (b + std::sqrt(inside)) / a);
    }
    return best;
  }

  const Lattice& lattice_;
  std::span<float> distance_;
  std::span<uint8_t> state_;
  std::vector<std::vector<uint32_t>> buckets_;
  std::vector<uint32_t> touched_;
  size_t now_ = 0, taken_ = 0, waiting_ = 0;
};

}  // namespace voxloom::infer::geodesic
