#include "voxloom/kernels/simd/ops.h"

namespace voxloom::kernels::simd {

const F32Ops& f32_ops() {
#if defined(__x86_64__)
  switch (active_isa(Precision::kF32)) {
    case Isa::kAvx512:
      return f32_ops_avx512();
    case Isa::kAvx2:
      return f32_ops_avx2();
    default:
      break;
  }
#endif
  return f32_ops_scalar();
}

const Bf16Ops& bf16_ops() {
#if defined(__x86_64__)
  switch (active_isa(Precision::kBf16)) {
    case Isa::kAmxBf16:
      return bf16_ops_amx();
    case Isa::kAvx512Bf16:
      return bf16_ops_avx512();
    default:
      break;
  }
#endif
  return bf16_ops_scalar();
}

}  // namespace voxloom::kernels::simd
