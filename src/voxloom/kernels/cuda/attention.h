#pragma once

#include <cstdint>

struct CUstream_st;

// The kernels of attention.h and rope.h on an NVIDIA GPU. Plain C interface: device pointers,
// sizes and a stream, so that neither CUDA's nor libtorch's headers are needed here. All calls are
// asynchronous on the stream and return a cudaError_t (0: launched; 1: a size is not supported).
// Layouts are those of attention.h: keys as rows, values transposed.
namespace voxloom::kernels::cuda {

/// Longest list of segments of one call.
inline constexpr int kMaxSegments = 48;

/// Keys and values on the device. f32: element type float. bf16: uint16_t, with value_stride a
/// multiple of 8 and both pointers on 16 bytes; rows need no padding.
struct Segment {
  const void* keys = nullptr;    ///< [rows, key_channels]
  const void* values = nullptr;  ///< [value_channels][value_stride]
  int64_t rows = 0;              ///< May be 0.
  int64_t value_stride = 0;      ///< >= rows
};

/// One call: out [queries, value_channels] = softmax(scale q k^T) v.
struct AttentionCall {
  const float* q = nullptr;           ///< [queries, key_channels] on the device
  const Segment* segments = nullptr;  ///< On the host; read before the call returns.
  int num_segments = 0;               ///< 1 to kMaxSegments
  int64_t queries = 0;
  int64_t key_channels = 0;    ///< A multiple of 32, at most 256.
  int64_t value_channels = 0;  ///< 64, 128 or 256.
  float scale = 1.0F;
  float* out = nullptr;        ///< Device
  float* workspace = nullptr;  ///< Device; attention_workspace() floats.
  int splits = 1;              ///< From attention_splits().
};

extern "C" {

/// Into how many parts the keys are cut so that a GPU with `multiprocessors` is filled: a frame
/// has few query tiles. The parts are joined by a second, small kernel.
int voxloom_cuda_attention_splits(int64_t queries, int64_t keys, int multiprocessors);

/// Floats of workspace for a call.
int64_t voxloom_cuda_attention_workspace(int64_t queries, int64_t value_channels, int splits);

/// f32 inputs and sums, on the ordinary cores.
int voxloom_cuda_attention_f32(const AttentionCall* call, CUstream_st* stream);

/// q is rounded here, keys and values are bf16; tensor cores with f32 sums (compute 8.0 or newer).
int voxloom_cuda_attention_bf16(const AttentionCall* call, CUstream_st* stream);

/// RopeTable::apply on the device. x and y [rows, channels]; shift [channels] or null; cosine and
/// sine: copies of RopeTable's tables. y may be x.
int voxloom_cuda_rope(const float* x,
                      const float* shift,
                      const float* cosine,
                      const float* sine,
                      int64_t first_token,
                      int64_t rows,
                      int64_t channels,
                      int64_t grid_width,
                      float* y,
                      CUstream_st* stream);
}

}  // namespace voxloom::kernels::cuda
