#include "voxloom/kernels/cuda/attention_common.cuh"

namespace voxloom::kernels::cuda {
namespace {

constexpr int kThreads = 256;   // 16 x 16
constexpr int kRows = 4;        // queries of one thread: ty * 4 ..
constexpr int kChunk = 32;      // channels of q and k in shared memory at a time
constexpr int kValueKeys = 16;  // keys whose values are in shared memory at a time

// One block: a tile of queries against one part of the keys, with an online softmax (as
// simd/ops.h, but queries are rows here). Thread (ty, tx) owns 4 queries; of their scores the
// columns tx and tx + 16, of their sums the channels tx, tx + 16, ...
template <int kValueChannels>
__global__ void __launch_bounds__(kThreads) attention_kernel(const __grid_constant__ Arguments a) {
  constexpr int kColumns = kValueChannels / 16;
  __shared__ float q_chunk[kQueryTile][kChunk + 1];
  __shared__ float k_chunk[kKeyTile][kChunk + 1];
  __shared__ float scores[kQueryTile][kKeyTile + 1];
  __shared__ float values[kValueKeys][kValueChannels + 1];

  const int tid = static_cast<int>(threadIdx.x);
  const int tx = tid % 16;
  const int ty = tid / 16;
  const int first_query = static_cast<int>(blockIdx.x) * kQueryTile;
  const int part = static_cast<int>(blockIdx.y);
  const int begin = part * a.tiles_per_part;
  const int end = min(a.key_tiles, begin + a.tiles_per_part);

  float sums[kRows][kColumns] = {};
  float top[kRows];
  float total[kRows] = {};
  for (int i = 0; i < kRows; ++i) top[i] = -INFINITY;

  for (int tile = begin; tile < end; ++tile) {
    const KeyTile where = find_tile(a, tile);
    const auto* keys = static_cast<const float*>(where.segment->keys);
    const auto* all_values = static_cast<const float*>(where.segment->values);
    const int rows = static_cast<int>(where.segment->rows);

    float s[kRows][2] = {};
    for (int chunk = 0; chunk < a.key_channels; chunk += kChunk) {
      for (int i = tid; i < kQueryTile * kChunk; i += kThreads) {
        const int row = i / kChunk;
        const int query = first_query + row;
        q_chunk[row][i % kChunk] =
            query < a.queries
                ? a.q[static_cast<int64_t>(query) * a.key_channels + chunk + i % kChunk] * a.scale
                : 0.0F;
      }
      for (int i = tid; i < kKeyTile * kChunk; i += kThreads) {
        const int row = i / kChunk;
        const int key = where.first + row;
        k_chunk[row][i % kChunk] =
            key < rows ? keys[static_cast<int64_t>(key) * a.key_channels + chunk + i % kChunk]
                       : 0.0F;
      }
      __syncthreads();
#pragma unroll 8
      for (int c = 0; c < kChunk; ++c) {
        const float k0 = k_chunk[tx][c];
        const float k1 = k_chunk[tx + 16][c];
#pragma unroll
        for (int i = 0; i < kRows; ++i) {
          const float value = q_chunk[ty * kRows + i][c];
          s[i][0] = fmaf(value, k0, s[i][0]);
          s[i][1] = fmaf(value, k1, s[i][1]);
        }
      }
      __syncthreads();
    }
    if (where.first + tx >= rows) {
      for (int i = 0; i < kRows; ++i) s[i][0] = -INFINITY;
    }
    if (where.first + tx + 16 >= rows) {
      for (int i = 0; i < kRows; ++i) s[i][1] = -INFINITY;
    }

    // The 16 threads of a row of the block are half a warp.
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      float largest = fmaxf(s[i][0], s[i][1]);
      for (int step = 8; step > 0; step /= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(0xffffffffU, largest, step));
      }
      const float next = fmaxf(top[i], largest);  // finite: a tile has at least one key
      const float factor = exp2f(top[i] - next);
      const float p0 = exp2f(s[i][0] - next);
      const float p1 = exp2f(s[i][1] - next);
      float sum = p0 + p1;
      for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, step);
      top[i] = next;
      total[i] = total[i] * factor + sum;
#pragma unroll
      for (int j = 0; j < kColumns; ++j) sums[i][j] *= factor;
      scores[ty * kRows + i][tx] = p0;
      scores[ty * kRows + i][tx + 16] = p1;
    }

    for (int start = 0; start < kKeyTile; start += kValueKeys) {
      __syncthreads();  // scores are complete; the values of the step before are used up
      for (int i = tid; i < kValueKeys * kValueChannels; i += kThreads) {
        const int key = where.first + start + i % kValueKeys;
        const int channel = i / kValueKeys;
        values[i % kValueKeys][channel] =
            key < rows
                ? all_values[static_cast<int64_t>(channel) * where.segment->value_stride + key]
                : 0.0F;
      }
      __syncthreads();
#pragma unroll 4
      for (int key = 0; key < kValueKeys; ++key) {
        float p[kRows];
#pragma unroll
        for (int i = 0; i < kRows; ++i) p[i] = scores[ty * kRows + i][start + key];
#pragma unroll
        for (int j = 0; j < kColumns; ++j) {
          const float value = values[key][tx + 16 * j];
#pragma unroll
          for (int i = 0; i < kRows; ++i) sums[i][j] = fmaf(p[i], value, sums[i][j]);
        }
      }
    }
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int query = first_query + ty * kRows + i;
    if (query >= a.queries) continue;
    const int64_t row = static_cast<int64_t>(part) * a.queries + query;
    for (int j = 0; j < kColumns; ++j) a.sums[row * kValueChannels + tx + 16 * j] = sums[i][j];
    if (tx == 0) {
      a.maxima[row] = top[i];
      a.totals[row] = total[i];
    }
  }
}

}  // namespace

extern "C" int voxloom_cuda_attention_f32(const AttentionCall* call, CUstream_st* stream) {
  Arguments a;
  const int status = prepare(*call, false, &a);
  if (status != cudaSuccess) return status;
  const dim3 grid(static_cast<unsigned>((a.queries + kQueryTile - 1) / kQueryTile),
                  static_cast<unsigned>(call->splits));
  switch (call->value_channels) {
    case 64:
      attention_kernel<64><<<grid, kThreads, 0, stream>>>(a);
      break;
    case 128:
      attention_kernel<128><<<grid, kThreads, 0, stream>>>(a);
      break;
    default:
      attention_kernel<256><<<grid, kThreads, 0, stream>>>(a);
      break;
  }
  const int launched = cudaGetLastError();
  return launched != cudaSuccess ? launched : join_parts(*call, a, stream);
}

}  // namespace voxloom::kernels::cuda
