#pragma once

#include <string>

namespace voxloom::kernels {

/// What the processor has and the operating system lets this process use.
///
/// A flag is true only if both hold: the instruction is reported by CPUID, and the registers it
/// needs are saved on a context switch (XCR0). For AMX, Linux also wants a permission request
/// per process (arch_prctl, ARCH_REQ_XCOMP_PERM); cpu_features() makes it once.
struct CpuFeatures {
  bool avx2 = false;
  bool fma = false;
  bool avx512f = false;
  bool avx512bw = false;
  bool avx512vl = false;
  bool avx512dq = false;
  bool avx512_bf16 = false;
  bool amx_tile = false;  ///< Tile registers, with the permission granted.
  bool amx_bf16 = false;
};

/// Probed at the first call, then constant.
[[nodiscard]] const CpuFeatures& cpu_features();

/// "avx2 fma avx512f ...": for reports.
[[nodiscard]] std::string cpu_features_text();

}  // namespace voxloom::kernels
