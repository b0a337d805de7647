#include "voxloom/kernels/simd/vec512.h"

// Compiled with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma.
namespace voxloom::kernels::simd {

// 12 rows x 2 vectors: 24 sums, 2 panel loads and a broadcast in 32 registers; the panel of a
// 256-deep product (32 KiB) stays in the first-level cache.
const F32Ops& f32_ops_avx512() {
  static constexpr F32Ops ops = make_f32_ops<Vec512, 12, 2>();
  return ops;
}

}  // namespace voxloom::kernels::simd
