#pragma once

#include <cuda_runtime.h>

#include "voxloom/kernels/cuda/attention.h"

// Shared by the two attention kernels: which block of threads reads which keys, and how the parts
// of a split are joined.
namespace voxloom::kernels::cuda {

inline constexpr int kQueryTile = 64;
inline constexpr int kKeyTile = 32;

/// The arguments as the kernels see them (by value, so no copy to the device is needed).
struct Arguments {
  Segment segments[kMaxSegments];
  const float* q;
  int num_segments;
  int queries;
  int key_channels;
  int key_tiles;       // of all segments together; a tile never spans two
  int tiles_per_part;  // the last part may have fewer, or none
  float scale;         // times log2 e: exponentials are base 2
  float* sums;         // [parts][queries][value_channels], not divided by the total
  float* maxima;       // [parts][queries]
  float* totals;       // [parts][queries]
};

/// One tile of keys: keys first .. first + kKeyTile - 1 of a segment that has `rows`.
struct KeyTile {
  const Segment* segment;
  int first;
};

__device__ inline KeyTile find_tile(const Arguments& a, int tile) {
  int s = 0;
  int count = static_cast<int>((a.segments[0].rows + kKeyTile - 1) / kKeyTile);
  while (tile >= count) {
    tile -= count;
    ++s;
    count = static_cast<int>((a.segments[s].rows + kKeyTile - 1) / kKeyTile);
  }
  return {&a.segments[s], tile * kKeyTile};
}

/// Checks a call, fills the arguments. 0 or a cudaError_t.
int prepare(const AttentionCall& call, bool bf16, Arguments* arguments);

/// Joins the parts into out.
int join_parts(const AttentionCall& call, const Arguments& arguments, CUstream_st* stream);

}  // namespace voxloom::kernels::cuda
