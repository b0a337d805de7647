// The safetensors reader: what it accepts covers exactly the file's data.
#include "voxloom/weights/safetensors.h"

#include <cstdint>
#include <vector>

#include "voxloom/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  try {
    const auto file = weights::parse_safetensors(own_bytes({bytes, bytes + size}), "fuzz");
    uint64_t total = 0;
    for (const auto& [name, tensor] : file.tensors.entries()) {
      total += tensor.bytes.size();
      if (!tensor.bytes.empty()) {
        volatile std::byte touched = tensor.bytes.back();
        static_cast<void>(touched);
      }
    }
    if (total > size) __builtin_trap();
  } catch (const Error&) {
  }
  return 0;
}
