#include <algorithm>
#include <cstdint>

#include "voxloom/kernels/cuda/attention_common.cuh"

namespace voxloom::kernels::cuda {
namespace {

constexpr float kLog2E = 1.44269504088896340736F;

// One block per query, one thread per value channel.
__global__ void join_kernel(const float* sums,
                            const float* maxima,
                            const float* totals,
                            int parts,
                            int queries,
                            float* out) {
  const int query = static_cast<int>(blockIdx.x);
  const int channel = static_cast<int>(threadIdx.x);
  const int channels = static_cast<int>(blockDim.x);
  float top = -INFINITY;
  for (int p = 0; p < parts; ++p) top = fmaxf(top, maxima[p * queries + query]);
  float sum = 0.0F;
  float total = 0.0F;
  for (int p = 0; p < parts; ++p) {
    const int64_t row = static_cast<int64_t>(p) * queries + query;
    if (totals[row] == 0.0F) continue;  // a part without keys
    const float factor = exp2f(maxima[row] - top);
    sum += factor * sums[row * channels + channel];
    total += factor * totals[row];
  }
  out[static_cast<int64_t>(query) * channels + channel] = sum / total;
}

}  // namespace

int prepare(const AttentionCall& call, bool bf16, Arguments* a) {
  const int64_t dv = call.value_channels;
  const bool sizes_fit = call.queries > 0 && call.queries <= INT32_MAX / 256 &&
                         call.key_channels > 0 && call.key_channels <= 256 &&
                         call.key_channels % 32 == 0 && (dv == 64 || dv == 128 || dv == 256) &&
                         call.num_segments > 0 && call.num_segments <= kMaxSegments &&
                         call.splits > 0 && call.segments != nullptr && call.workspace != nullptr;
  if (!sizes_fit) return cudaErrorInvalidValue;
  int64_t tiles = 0;
  for (int s = 0; s < call.num_segments; ++s) {
    const Segment& segment = call.segments[s];
    if (segment.rows < 0 || segment.value_stride < segment.rows) return cudaErrorInvalidValue;
    const auto address =
        reinterpret_cast<uintptr_t>(segment.keys) | reinterpret_cast<uintptr_t>(segment.values);
    if (bf16 && segment.rows > 0 && (address % 16 != 0 || segment.value_stride % 8 != 0)) {
      return cudaErrorMisalignedAddress;
    }
    tiles += (segment.rows + kKeyTile - 1) / kKeyTile;
    a->segments[s] = segment;
  }
  if (tiles == 0 || tiles > INT32_MAX) return cudaErrorInvalidValue;
  a->q = call.q;
  a->num_segments = call.num_segments;
  a->queries = static_cast<int>(call.queries);
  a->key_channels = static_cast<int>(call.key_channels);
  a->key_tiles = static_cast<int>(tiles);
  a->tiles_per_part = static_cast<int>((tiles + call.splits - 1) / call.splits);
  a->scale = call.scale * kLog2E;
  a->sums = call.workspace;
  a->maxima = a->sums + call.splits * call.queries * dv;
  a->totals = a->maxima + call.splits * call.queries;
  return cudaSuccess;
}

int join_parts(const AttentionCall& call, const Arguments& a, CUstream_st* stream) {
  join_kernel<<<static_cast<unsigned>(a.queries),
                static_cast<unsigned>(call.value_channels),
                0,
                stream>>>(a.sums, a.maxima, a.totals, call.splits, a.queries, call.out);
  return cudaGetLastError();
}

extern "C" int voxloom_cuda_attention_splits(int64_t queries, int64_t keys, int multiprocessors) {
  const int64_t query_tiles = std::max<int64_t>(1, (queries + kQueryTile - 1) / kQueryTile);
  // Two blocks of threads a multiprocessor, but no part below eight tiles of keys.
  const int64_t wanted =
      (2 * static_cast<int64_t>(multiprocessors) + query_tiles - 1) / query_tiles;
  const int64_t most = std::max<int64_t>(1, keys / (8 * kKeyTile));
  return static_cast<int>(std::clamp<int64_t>(wanted, 1, most));
}

extern "C" int64_t voxloom_cuda_attention_workspace(int64_t queries,
                                                    int64_t value_channels,
                                                    int splits) {
  return splits * queries * (value_channels + 2);
}

}  // namespace voxloom::kernels::cuda
