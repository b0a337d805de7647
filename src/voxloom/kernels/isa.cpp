#include "voxloom/kernels/isa.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/kernels/cpu_features.h"

namespace voxloom::kernels {
namespace {

constexpr std::array<std::pair<Isa, std::string_view>, 5> kNames = {{
    {Isa::kScalar, "scalar"},
    {Isa::kAvx2, "avx2"},
    {Isa::kAvx512, "avx512"},
    {Isa::kAvx512Bf16, "avx512_bf16"},
    {Isa::kAmxBf16, "amx_bf16"},
}};

Isa limit_from_environment() {
  const char* text = std::getenv("VOXLOOM_ISA_LIMIT");
  if (text == nullptr || *text == '\0') return Isa::kAmxBf16;
  const auto isa = parse_isa(text);
  VOXLOOM_CHECK(isa.has_value(),
                ErrorCode::kInvalidArgument,
                "VOXLOOM_ISA_LIMIT: must be scalar, avx2, avx512, avx512_bf16 or amx_bf16, got "
                "'{}'",
                text);
  return *isa;
}

std::atomic<Isa>& limit() {
  static std::atomic<Isa> value{limit_from_environment()};
  return value;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  for (const auto& [value, name] : kNames) {
    if (value == isa) return name;
  }
  return "unknown";
}

std::optional<Isa> parse_isa(std::string_view text) {
  for (const auto& [value, name] : kNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

bool isa_supported(Isa isa) {
  const CpuFeatures& f = cpu_features();
  const bool avx2 = f.avx2 && f.fma;
  const bool avx512 = avx2 && f.avx512f && f.avx512bw && f.avx512vl && f.avx512dq;
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return avx2;
    case Isa::kAvx512:
      return avx512;
    case Isa::kAvx512Bf16:
      return avx512 && f.avx512_bf16;
    case Isa::kAmxBf16:
      return avx512 && f.avx512_bf16 && f.amx_tile && f.amx_bf16;
  }
  return false;
}

Isa active_isa(Precision precision) {
  const Isa top = limit().load(std::memory_order_relaxed);
  const auto usable = [top](Isa isa) { return isa <= top && isa_supported(isa); };
  if (precision == Precision::kBf16) {
    if (usable(Isa::kAmxBf16)) return Isa::kAmxBf16;
    if (usable(Isa::kAvx512Bf16)) return Isa::kAvx512Bf16;
    return Isa::kScalar;
  }
  if (usable(Isa::kAvx512)) return Isa::kAvx512;
  if (usable(Isa::kAvx2)) return Isa::kAvx2;
  return Isa::kScalar;
}

bool has_fast_bf16() {
  return active_isa(Precision::kBf16) != Isa::kScalar;
}

void set_isa_limit(std::optional<Isa> value) {
  limit().store(value.value_or(Isa::kAmxBf16), std::memory_order_relaxed);
}

}  // namespace voxloom::kernels
