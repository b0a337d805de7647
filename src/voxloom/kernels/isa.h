#pragma once

#include <optional>
#include <string_view>

namespace voxloom::kernels {

/// Number format of the inputs of matrix products. Sums, softmax and norms are always f32.
enum class Precision { kF32, kBf16 };

/// Instruction sets a kernel is written for, slowest first.
///
/// f32 runs on kScalar, kAvx2 (with FMA) or kAvx512; bf16 on kScalar (exact emulation, slow),
/// kAvx512Bf16 or kAmxBf16.
enum class Isa { kScalar, kAvx2, kAvx512, kAvx512Bf16, kAmxBf16 };

/// "scalar", "avx2", "avx512", "avx512_bf16", "amx_bf16".
[[nodiscard]] std::string_view isa_name(Isa isa);
[[nodiscard]] std::optional<Isa> parse_isa(std::string_view name);

/// Whether this machine can run `isa`.
[[nodiscard]] bool isa_supported(Isa isa);

/// The instruction set that kernels of this precision use now: the fastest supported one that
/// is not above the limit.
[[nodiscard]] Isa active_isa(Precision precision);

/// True when bf16 products have hardware under the present limit; else bf16 is an emulation that
/// serves tests only.
[[nodiscard]] bool has_fast_bf16();

/// Limits which instruction sets are used; nullopt lifts the limit. The environment variable
/// VOXLOOM_ISA_LIMIT (a name of isa_name) sets the initial limit; another word in it makes the
/// first kernel throw kInvalidArgument. Weights packed before keep the set they were packed for;
/// packed keys and values fit all sets of their precision.
void set_isa_limit(std::optional<Isa> limit);

}  // namespace voxloom::kernels
