#include "voxloom/kernels/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace voxloom::kernels {
namespace {

#if defined(__x86_64__)

struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Leaf cpuid(unsigned leaf, unsigned subleaf) {
  Leaf r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool bit(unsigned word, int index) {
  return ((word >> index) & 1U) != 0;
}

// Which register states the operating system saves. Only valid when OSXSAVE is set.
uint64_t read_xcr0() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Tile data is 8 KiB a thread, so Linux (5.16 and newer) hands it out on request only.
bool request_tile_data() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

CpuFeatures probe() {
  constexpr uint64_t kYmm = 0x6;           // SSE and AVX state
  constexpr uint64_t kZmm = 0xe6;          // the above, opmask, upper halves, zmm16-31
  constexpr uint64_t kTile = 3ULL << 17U;  // tile configuration and tile data
  CpuFeatures f;
  const Leaf one = cpuid(1, 0);
  if (!bit(one.ecx, 27)) return f;  // OSXSAVE
  const uint64_t xcr0 = read_xcr0();
  const Leaf seven = cpuid(7, 0);
  const Leaf seven_one = cpuid(7, 1);
  if ((xcr0 & kYmm) == kYmm) {
    f.avx2 = bit(seven.ebx, 5);
    f.fma = bit(one.ecx, 12);
  }
  if ((xcr0 & kZmm) == kZmm) {
    f.avx512f = bit(seven.ebx, 16);
    f.avx512dq = bit(seven.ebx, 17);
    f.avx512bw = bit(seven.ebx, 30);
    f.avx512vl = bit(seven.ebx, 31);
    f.avx512_bf16 = f.avx512f && bit(seven_one.eax, 5);
  }
  if ((xcr0 & kTile) == kTile && bit(seven.edx, 24) && request_tile_data()) {
    f.amx_tile = true;
    f.amx_bf16 = bit(seven.edx, 22);
  }
  return f;
}

#else

CpuFeatures probe() {
  return {};
}

#endif

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = probe();
  return features;
}

std::string cpu_features_text() {
  const CpuFeatures& f = cpu_features();
  std::string text;
  const auto add = [&text](bool present, const char* name) {
    if (!present) return;
    if (!text.empty()) text += ' ';
    text += name;
  };
  add(f.avx2, "avx2");
  add(f.fma, "fma");
  add(f.avx512f, "avx512f");
  add(f.avx512bw, "avx512bw");
  add(f.avx512vl, "avx512vl");
  add(f.avx512dq, "avx512dq");
  add(f.avx512_bf16, "avx512_bf16");
  add(f.amx_tile, "amx_tile");
  add(f.amx_bf16, "amx_bf16");
  return text;
}

}  // namespace voxloom::kernels
