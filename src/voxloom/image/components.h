#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "voxloom/image/geometry.h"

namespace voxloom::image {

/// Which voxels touch: faces; faces and edges; faces, edges and corners. For a single slice (depth
/// 1) use kFaces for 4-connected and kCorners for 8-connected pixels.
enum class Connectivity { kFaces = 6, kEdges = 18, kCorners = 26 };

/// One connected component.
struct Component {
  int64_t size = 0;             ///< Voxels.
  int64_t first_voxel = 0;      ///< Lowest memory index in it.
  Index3 box_min{}, box_max{};  ///< Both ends inside, voxel indices (x, y, z).
};

/// A labelled mask kept as runs along x: a few megabytes for a smooth 512x512x512 mask, where a
/// label per voxel would take half a gigabyte. Components are numbered by first_voxel.
struct ComponentMap {
  struct Run {
    int32_t begin = 0, end = 0;  ///< x range, end outside.
    int32_t component = 0;       ///< Index into `components`.
  };
  Index3 size{};
  std::vector<int64_t> row_begin;  ///< Runs of row y + z * size[1]: [row_begin[r], row_begin[r+1]).
  std::vector<Run> runs;
  std::vector<Component> components;

  /// Index of the component with most voxels, the one with the lowest first voxel among equals;
  /// -1 when there is none.
  [[nodiscard]] int64_t largest() const;

  /// Calls fn(first memory index, length, component) for each run, in memory order.
  void for_each_run(const std::function<void(int64_t, int64_t, int32_t)>& fn) const;

  /// labels [D, H, W]: 0 outside, component + 1 inside.
  [[nodiscard]] std::vector<int32_t> to_labels() const;
};

/// Finds the runs of one row: append {begin, end} pairs, ascending, disjoint and not touching.
/// Row r is y = r % size[1], z = r / size[1]. Must be callable from several threads.
using RowScanner = std::function<void(int64_t row, std::vector<ComponentMap::Run>& runs)>;

/// Connected components of whatever `scan` reports: union-find over runs.
/// Throws kInvalidArgument unless size is positive and each extent fits into 31 bits.
[[nodiscard]] ComponentMap label_components(const Index3& size,
                                            Connectivity connectivity,
                                            const RowScanner& scan);

/// Components of mask != 0; mask [D, H, W] with size (x, y, z).
[[nodiscard]] ComponentMap label_components(std::span<const uint8_t> mask,
                                            const Index3& size,
                                            Connectivity connectivity = Connectivity::kCorners);

/// Components of labels == value.
[[nodiscard]] ComponentMap label_components(std::span<const uint16_t> labels,
                                            uint16_t value,
                                            const Index3& size,
                                            Connectivity connectivity = Connectivity::kCorners);

/// Sets every voxel outside the largest component to 0 and returns how many components there were.
/// Among equals the one with the lowest first voxel stays, so the result is deterministic.
int64_t keep_largest(std::span<uint8_t> mask,
                     const Index3& size,
                     Connectivity connectivity = Connectivity::kCorners);
/// The same for one value of a label map: its other components become background.
int64_t keep_largest(std::span<uint16_t> labels,
                     uint16_t value,
                     const Index3& size,
                     Connectivity connectivity = Connectivity::kCorners);

/// Sets components of fewer than `min_voxels` voxels to 0 and returns how many were removed.
int64_t remove_small(std::span<uint8_t> mask,
                     const Index3& size,
                     int64_t min_voxels,
                     Connectivity connectivity = Connectivity::kCorners);

}  // namespace voxloom::image
