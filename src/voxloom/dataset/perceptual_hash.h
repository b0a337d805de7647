#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace voxloom::dataset {

/// 64-bit difference hash of a grey picture [height, width]: the picture is averaged over a grid of
/// 9x8 cells, each rounded to 8 bits; bit 63 - (8 row + column) says that a cell is darker than its
/// right neighbour. Nearly the same for the same picture at another size, brightness or
/// compression; not for mirrored, turned or cut ones.
/// Throws kInvalidArgument unless both sides are positive and fit the pixels.
[[nodiscard]] uint64_t difference_hash(std::span<const float> pixels,
                                       int64_t width,
                                       int64_t height);

/// Pictures whose hashes differ in so many bits at most count as the same (hold-out rule R7).
inline constexpr int kNearDistance = 4;

/// Calls `found(a, b, distance)`, a < b, once for every pair of different groups whose hashes
/// differ in kNearDistance bits at most. Exact: of five bands of the 64 bits one is equal in such a
/// pair, so only pictures that share a band are compared.
void for_each_near_pair(std::span<const uint64_t> hashes,
                        std::span<const int> groups,
                        const std::function<void(size_t a, size_t b, int distance)>& found);

}  // namespace voxloom::dataset
