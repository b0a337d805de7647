#include "voxloom/kernels/simd/amx_gemm.h"
#include "voxloom/kernels/simd/bf16_avx512.h"

// Compiled with the flags of ops_avx512_bf16.cpp and -mamx-tile -mamx-bf16.
namespace voxloom::kernels::simd {
namespace {

// The tile registers of this thread. Released at the end, so that a context switch need not
// carry 8 KiB more.
//
// Assembly instead of the compiler's intrinsics: GCC 12's are macros that take the tile number
// from the text of the argument and don't say that they touch memory.
struct HardwareTiles {
  HardwareTiles() = default;
  HardwareTiles(const HardwareTiles&) = delete;
  HardwareTiles& operator=(const HardwareTiles&) = delete;
  ~HardwareTiles() { __asm__ volatile("tilerelease" ::: "memory"); }

  static void configure(const TileConfig* config) {
    __asm__ volatile("ldtilecfg %0" ::"m"(*config) : "memory");
  }
  template <int Tile, class T>
  static void load(const T* from, int64_t stride) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(Tile)
                     : "memory");
  }
  template <int Tile>
  static void store(float* to, int64_t stride) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(Tile) : "memory");
  }
  template <int Tile>
  static void zero() {
    __asm__ volatile("tilezero %%tmm%c0" ::"i"(Tile) : "memory");
  }
  template <int Sum, int A, int B>
  static void multiply() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(A), "i"(B)
                     : "memory");
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
