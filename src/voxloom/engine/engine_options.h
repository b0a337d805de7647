#pragma once

#include <cstdint>
#include <string_view>

namespace voxloom::engine {

/// What runs a network. kTorch is the reference; kOpenvino is faster on a CPU.
enum class EngineKind { kAuto, kTorch, kOpenvino };

/// Arithmetic of the heavy layers. Outputs are f32 either way.
enum class Precision { kAuto, kF32, kBf16 };

struct EngineOptions {
  EngineKind engine = EngineKind::kAuto;
  Precision precision = Precision::kAuto;
  int threads = 0;  ///< 0: thread_budget().
};

/// "auto", "torch", "openvino". Throws kInvalidArgument for another word.
[[nodiscard]] EngineKind parse_engine(std::string_view name);
/// "auto", "f32", "bf16". Throws kInvalidArgument for another word.
[[nodiscard]] Precision parse_precision(std::string_view name);
[[nodiscard]] std::string_view engine_name(EngineKind engine);
[[nodiscard]] std::string_view precision_name(Precision precision);

/// Whether this build has OpenVINO.
[[nodiscard]] bool has_openvino();
/// Whether the processor multiplies bfloat16 numbers in hardware (AVX512_BF16 or AMX).
[[nodiscard]] bool has_fast_bf16();

/// Replaces every kAuto and 0: OpenVINO where the build has it, bf16 where the processor has it
/// and `bf16_gate_passed` says that masks were compared with f32, the thread budget. Throws
/// kUnsupported for OpenVINO in a build without it. bf16 on request is never refused: without
/// hardware it is slow, and still right.
[[nodiscard]] EngineOptions resolve(const EngineOptions& options, bool bf16_gate_passed);

}  // namespace voxloom::engine
