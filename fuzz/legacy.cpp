// The stream of pickles and storages that torch.save wrote before 1.6.
#include <cstdint>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/weights/torch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  weights::CheckpointOptions options;
  options.max_copied_bytes = 16 << 20;
  try {
    static_cast<void>(
        weights::read_torch_legacy(own_bytes({bytes, bytes + size}), "fuzz.pth", options));
  } catch (const Error&) {
  }
  return 0;
}
