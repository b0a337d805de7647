#include <cuda_runtime.h>

#include "voxloom/kernels/cuda/attention.h"

namespace voxloom::kernels::cuda {
namespace {

// One thread turns one pair of channels.
__global__ void rope_kernel(const float* x,
                            const float* shift,
                            const float* cosine,
                            const float* sine,
                            int64_t first_token,
                            int64_t pairs_in_all,
                            int pairs_per_row,
                            int grid_width,
                            float* y) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (index >= pairs_in_all) return;
  const int64_t token = first_token + index / pairs_per_row;
  const int pair = static_cast<int>(index % pairs_per_row);
  const int half_pairs = pairs_per_row / 2;
  const int64_t position = pair < half_pairs ? token % grid_width : token / grid_width;
  const int64_t entry = position * pairs_per_row + 2 * (pair % half_pairs);
  float a = x[2 * index];
  float b = x[2 * index + 1];
  if (shift != nullptr) {
    a += shift[2 * pair];
    b += shift[2 * pair + 1];
  }
  const float c = cosine[entry];
  const float s = sine[entry + 1];  // the even entries carry the minus sign
  y[2 * index] = a * c - b * s;
  y[2 * index + 1] = a * s + b * c;
}

}  // namespace

extern "C" int voxloom_cuda_rope(const float* x,
                                 const float* shift,
                                 const float* cosine,
                                 const float* sine,
                                 int64_t first_token,
                                 int64_t rows,
                                 int64_t channels,
                                 int64_t grid_width,
                                 float* y,
                                 CUstream_st* stream) {
  if (rows < 0 || first_token < 0 || grid_width <= 0 || channels <= 0 || channels % 4 != 0) {
    return cudaErrorInvalidValue;
  }
  if (rows == 0) return cudaSuccess;
  constexpr int kThreads = 256;
  const int64_t pairs = rows * channels / 2;
  const auto blocks = static_cast<unsigned>((pairs + kThreads - 1) / kThreads);
  rope_kernel<<<blocks, kThreads, 0, stream>>>(x,
                                               shift,
                                               cosine,
                                               sine,
                                               first_token,
                                               pairs,
                                               static_cast<int>(channels / 2),
                                               static_cast<int>(grid_width),
                                               y);
  return cudaGetLastError();
}

}  // namespace voxloom::kernels::cuda
