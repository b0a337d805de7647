#include <cuda_bf16.h>

#include "voxloom/kernels/cuda/attention_common.cuh"

namespace voxloom::kernels::cuda {
namespace {

constexpr int kWarps = kQueryTile / 16;
constexpr int kThreads = 32 * kWarps;
// Eight more elements a row: the 8 rows that a quad pattern reads fall into different banks.
constexpr int kPad = 8;

// D (16 x 8, f32) += A (16 x 16) B (16 x 8). With g = lane / 4 and t = lane % 4 a lane holds
// A: rows g and g + 8 at columns 2t, 2t+1 (a0, a1) and 2t+8, 2t+9 (a2, a3);
// B: column g at rows 2t, 2t+1 (b0) and 2t+8, 2t+9 (b1);
// D: rows g (d0, d1) and g + 8 (d2, d3) at columns 2t, 2t+1. (PTX ISA, mma.m16n8k16.)
__device__ inline void multiply_add(float (&d)[4],
                                    const uint32_t (&a)[4],
                                    uint32_t b0,
                                    uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline uint32_t pack_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

__device__ inline uint32_t load_pair(const uint16_t* p) {
  return *reinterpret_cast<const uint32_t*>(p);
}

__host__ __device__ constexpr int shared_elements(int key_channels, int value_channels) {
  return (kQueryTile + kKeyTile) * (key_channels + kPad) + value_channels * (kKeyTile + kPad);
}

// One block: a tile of queries against one part of the keys; each warp has 16 queries. The
// probabilities go from the first product's sums straight into the second product's A operand:
// both are laid out alike.
template <int kValueChannels>
__global__ void __launch_bounds__(kThreads) attention_kernel(const __grid_constant__ Arguments a) {
  constexpr int kColumnTiles = kValueChannels / 8;
  constexpr int kScoreTiles = kKeyTile / 8;
  extern __shared__ __align__(16) uint16_t shared[];
  const int width = a.key_channels + kPad;
  uint16_t* q_tile = shared;                       // [kQueryTile][width]
  uint16_t* k_tile = q_tile + kQueryTile * width;  // [kKeyTile][width]
  uint16_t* v_tile = k_tile + kKeyTile * width;    // [kValueChannels][kKeyTile + kPad]
  constexpr int kValueWidth = kKeyTile + kPad;

  const int tid = static_cast<int>(threadIdx.x);
  const int lane = tid % 32;
  const int g = lane / 4;
  const int t = lane % 4;
  const int warp_row = tid / 32 * 16;
  const int first_query = static_cast<int>(blockIdx.x) * kQueryTile;
  const int part = static_cast<int>(blockIdx.y);
  const int begin = part * a.tiles_per_part;
  const int end = min(a.key_tiles, begin + a.tiles_per_part);

  const int q_pairs = a.key_channels / 2;
  for (int i = tid; i < kQueryTile * q_pairs; i += kThreads) {
    const int row = i / q_pairs;
    const int column = i % q_pairs * 2;
    const int query = first_query + row;
    uint32_t pair = 0;
    if (query < a.queries) {
      const float* from = a.q + static_cast<int64_t>(query) * a.key_channels + column;
      pair = pack_pair(from[0] * a.scale, from[1] * a.scale);
    }
    *reinterpret_cast<uint32_t*>(q_tile + row * width + column) = pair;
  }

  float sums[kColumnTiles][4] = {};
  float top[2] = {-INFINITY, -INFINITY};  // of rows g and g + 8
  float total[2] = {};                    // of this lane's columns only, until the end

  for (int tile = begin; tile < end; ++tile) {
    const KeyTile where = find_tile(a, tile);
    const auto* keys = static_cast<const uint16_t*>(where.segment->keys);
    const auto* all_values = static_cast<const uint16_t*>(where.segment->values);
    const int rows = static_cast<int>(where.segment->rows);
    const int left = min(kKeyTile, rows - where.first);

    __syncthreads();  // the tile before is used up
    const int k_vectors = a.key_channels / 8;
    for (int i = tid; i < kKeyTile * k_vectors; i += kThreads) {
      const int row = i / k_vectors;
      const int column = i % k_vectors * 8;
      uint4 vector = make_uint4(0, 0, 0, 0);
      if (row < left) {
        vector = *reinterpret_cast<const uint4*>(
            keys + static_cast<int64_t>(where.first + row) * a.key_channels + column);
      }
      *reinterpret_cast<uint4*>(k_tile + row * width + column) = vector;
    }
    constexpr int kValueVectors = kKeyTile / 8;
    for (int i = tid; i < kValueChannels * kValueVectors; i += kThreads) {
      const int channel = i / kValueVectors;
      const int key = i % kValueVectors * 8;
      const uint16_t* from = all_values +
                             static_cast<int64_t>(channel) * where.segment->value_stride +
                             where.first + key;
      uint16_t* to = v_tile + channel * kValueWidth + key;
      if (key + 8 <= left) {
        *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
      } else {
        // Never a stale number times a probability of zero: it might not be finite.
        for (int j = 0; j < 8; ++j) to[j] = key + j < left ? from[j] : uint16_t{0};
      }
    }
    __syncthreads();

    float scores[kScoreTiles][4] = {};
    for (int c = 0; c < a.key_channels; c += 16) {
      const uint16_t* upper = q_tile + (warp_row + g) * width + c + 2 * t;
      const uint16_t* lower = upper + 8 * width;
      const uint32_t operand[4] = {
          load_pair(upper), load_pair(lower), load_pair(upper + 8), load_pair(lower + 8)};
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n) {
        const uint16_t* key = k_tile + (n * 8 + g) * width + c + 2 * t;
        multiply_add(scores[n], operand, load_pair(key), load_pair(key + 8));
      }
    }
#pragma unroll
    for (int n = 0; n < kScoreTiles; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (n * 8 + 2 * t + i % 2 >= left) scores[n][i] = -INFINITY;
      }
    }

    float factor[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float largest = -INFINITY;
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n) {
        largest = fmaxf(largest, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
      }
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffU, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffU, largest, 2));
      const float next = fmaxf(top[half], largest);  // finite: a tile has at least one key
      factor[half] = exp2f(top[half] - next);
      top[half] = next;
      total[half] *= factor[half];
#pragma unroll
      for (int n = 0; n < kScoreTiles; ++n) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          scores[n][i] = exp2f(scores[n][i] - next);
          total[half] += scores[n][i];
        }
      }
    }
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
      sums[n][0] *= factor[0];
      sums[n][1] *= factor[0];
      sums[n][2] *= factor[1];
      sums[n][3] *= factor[1];
    }
#pragma unroll
    for (int k = 0; k < kKeyTile / 16; ++k) {
      const float(&left_tile)[4] = scores[2 * k];
      const float(&right_tile)[4] = scores[2 * k + 1];
      const uint32_t operand[4] = {pack_pair(left_tile[0], left_tile[1]),
                                   pack_pair(left_tile[2], left_tile[3]),
                                   pack_pair(right_tile[0], right_tile[1]),
                                   pack_pair(right_tile[2], right_tile[3])};
#pragma unroll
      for (int n = 0; n < kColumnTiles; ++n) {
        const uint16_t* value = v_tile + (n * 8 + g) * kValueWidth + k * 16 + 2 * t;
        multiply_add(sums[n], operand, load_pair(value), load_pair(value + 8));
      }
    }
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] += __shfl_xor_sync(0xffffffffU, total[half], 1);
    total[half] += __shfl_xor_sync(0xffffffffU, total[half], 2);
    const int query = first_query + warp_row + g + 8 * half;
    if (query >= a.queries) continue;
    const int64_t row = static_cast<int64_t>(part) * a.queries + query;
#pragma unroll
    for (int n = 0; n < kColumnTiles; ++n) {
      float* to = a.sums + row * kValueChannels + n * 8 + 2 * t;
      to[0] = sums[n][2 * half];
      to[1] = sums[n][2 * half + 1];
    }
    if (t == 0) {
      a.maxima[row] = top[half];
      a.totals[row] = total[half];
    }
  }
}

template <int kValueChannels>
int launch(const AttentionCall& call, const Arguments& a, CUstream_st* stream) {
  const int bytes =
      shared_elements(a.key_channels, kValueChannels) * static_cast<int>(sizeof(uint16_t));
  // Above 48 KiB a kernel must ask.
  const cudaError_t status = cudaFuncSetAttribute(
      attention_kernel<kValueChannels>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (status != cudaSuccess) return status;
  const dim3 grid(static_cast<unsigned>((a.queries + kQueryTile - 1) / kQueryTile),
                  static_cast<unsigned>(call.splits));
  attention_kernel<kValueChannels><<<grid, kThreads, static_cast<size_t>(bytes), stream>>>(a);
  return cudaGetLastError();
}

}  // namespace

extern "C" int voxloom_cuda_attention_bf16(const AttentionCall* call, CUstream_st* stream) {
  Arguments a;
  int status = prepare(*call, true, &a);
  if (status != cudaSuccess) return status;
  switch (call->value_channels) {
    case 64:
      status = launch<64>(*call, a, stream);
      break;
    case 128:
      status = launch<128>(*call, a, stream);
      break;
    default:
      status = launch<256>(*call, a, stream);
      break;
  }
  return status != cudaSuccess ? status : join_parts(*call, a, stream);
}

}  // namespace voxloom::kernels::cuda
