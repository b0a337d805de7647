#include "voxloom/engine/engine_options.h"

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/kernels/cpu_features.h"

namespace voxloom::engine {

namespace {

constexpr std::string_view kEngines[] = {"auto", "torch", "openvino"};
constexpr std::string_view kPrecisions[] = {"auto", "f32", "bf16"};

template <size_t n>
size_t find_word(const std::string_view (&words)[n], std::string_view word, const char* what) {
  for (size_t index = 0; index < n; ++index) {
    if (words[index] == word) return index;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      format("{}: must be {}, {} or {}, got '{}'", what, words[0], words[1], words[2], word));
}

}  // namespace

EngineKind parse_engine(std::string_view name) {
  return static_cast<EngineKind>(find_word(kEngines, name, "engine"));
}

Precision parse_precision(std::string_view name) {
  return static_cast<Precision>(find_word(kPrecisions, name, "precision"));
}

std::string_view engine_name(EngineKind engine) {
  return kEngines[static_cast<size_t>(engine)];
}

std::string_view precision_name(Precision precision) {
  return kPrecisions[static_cast<size_t>(precision)];
}

bool has_openvino() {
#ifdef VOXLOOM_HAVE_OPENVINO
  return true;
#else
  return false;
#endif
}

bool has_fast_bf16() {
  const kernels::CpuFeatures& cpu = kernels::cpu_features();
  return cpu.avx512_bf16 || cpu.amx_bf16;
}

EngineOptions resolve(const EngineOptions& options, bool bf16_gate_passed) {
  EngineOptions result = options;
  if (result.engine == EngineKind::kAuto) {
    result.engine = has_openvino() ? EngineKind::kOpenvino : EngineKind::kTorch;
  }
  VOXLOOM_CHECK(result.engine != EngineKind::kOpenvino || has_openvino(),
                ErrorCode::kUnsupported,
                "engine: this build must have OpenVINO to run 'openvino'; use 'torch'");
  if (result.precision == Precision::kAuto) {
    result.precision = has_fast_bf16() && bf16_gate_passed ? Precision::kBf16 : Precision::kF32;
  }
  if (result.threads == 0) result.threads = thread_budget();
  return result;
}

}  // namespace voxloom::engine
