// The zip reader: any bytes give entries or an Error.
#include <cstdint>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/zip_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  ZipLimits limits;
  limits.max_total_bytes = 64 << 20;
  try {
    const ZipReader zip(own_bytes({bytes, bytes + size}), "fuzz.zip", limits);
    for (const auto& entry : zip.entries()) {
      try {
        const SharedBytes content = zip.read(entry);
        if (content.bytes.size() != entry.size || zip.find(entry.name) != &entry) __builtin_trap();
      } catch (const Error&) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
