#include "voxloom/kernels/simd/amx_gemm.h"
#include "voxloom/kernels/simd/bf16_avx512.h"

// Compiled with the flags of ops_avx512_bf16.cpp and -mamx-tile -mamx-bf16.
namespace voxloom::kernels::simd {
namespace {

// The tile registers of this thread. Released at the end, so that a context switch need not
// carry 8 KiB more.
struct HardwareTiles {
  HardwareTiles() = default;
  HardwareTiles(const HardwareTiles&) = delete;
  HardwareTiles& operator=(const HardwareTiles&) = delete;
  ~HardwareTiles() { _tile_release(); }

  static void configure(const TileConfig* config) { _tile_loadconfig(config); }
  template <int Tile, class T>
  static void load(const T* from, int64_t stride) {
    _tile_loadd(Tile, from, static_cast<size_t>(stride));
  }
  template <int Tile>
  static void store(float* to, int64_t stride) {
    _tile_stored(Tile, to, static_cast<size_t>(stride));
  }
  template <int Tile>
  static void zero() {
    _tile_zero(Tile);
  }
  template <int Sum, int A, int B>
  static void multiply() {
    _tile_dpbf16ps(Sum, A, B);
  }
};

void gemm_amx(int64_t m,
              int64_t k,
              const uint16_t* a,
              int64_t lda,
              const uint16_t* b,
              float* c,
              int64_t ldc,
              bool accumulate) {
  HardwareTiles tiles;
  amx_gemm(tiles, m, k, a, lda, b, c, ldc, accumulate);
}

}  // namespace

const Bf16Ops& bf16_ops_amx() {
  static constexpr Bf16Ops ops = {.lanes = 32,
                                  .gemm = &gemm_amx,
                                  .softmax_step = &softmax_step_bf16<2>,
                                  .scale_lanes = &scale_lanes<Vec512, 2>,
                                  .convert = &convert_bf16};
  return ops;
}

}  // namespace voxloom::kernels::simd
