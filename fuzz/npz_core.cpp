// The .npy reader; what it accepts is written and read back unchanged.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  try {
    const NamedArray array = parse_npy(own_bytes({bytes, bytes + size}), "fuzz");
    const NamedArray again = parse_npy(own_bytes(encode_npy(array)), "fuzz");
    if (again.dtype != array.dtype || again.shape != array.shape ||
        !std::ranges::equal(again.data.bytes, array.data.bytes)) {
      __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
