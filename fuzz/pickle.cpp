// The pickle machine and the search for tensors in what it makes.
#include <cstdint>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/weights/torch_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace voxloom;
  using namespace voxloom::weights;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  try {
    const PickleTree tree = parse_pickle({bytes, size}, "fuzz.pkl");
    if (tree.consumed() > size) __builtin_trap();
    const SharedBytes storage = own_bytes(std::vector<std::byte>(4096, std::byte{1}));
    const TorchTree torch(
        tree, [&](const StorageRef&) { return storage; }, "fuzz.pt");
    CopyBudget budget(16 << 20);
    static_cast<void>(torch.plain_values());
    static_cast<void>(torch.opaque_types());
    const auto choice = torch.choose(std::nullopt);
    for (const auto& found : torch.find_tensors(choice.node)) {
      try {
        const TensorView tensor = torch.load(found, budget);
        const auto count = static_cast<uint64_t>(tensor.element_count());
        if (tensor.bytes.size() != count * bytes_per_element(tensor.dtype)) __builtin_trap();
        // Touches both ends: a view beyond the storage shows under ASan.
        if (count > 0) {
          volatile std::byte first = tensor.bytes.front(), last = tensor.bytes.back();
          static_cast<void>(first);
          static_cast<void>(last);
        }
      } catch (const Error&) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
