#include "voxloom/weights/fingerprint.h"

#include <algorithm>

#include "voxloom/core/format.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/sha256.h"

namespace voxloom::weights {

Fingerprint fingerprint(const StateDict& tensors) {
  Fingerprint result;
  const auto& entries = tensors.entries();
  result.tensors.resize(entries.size());
  parallel_for(0, static_cast<int64_t>(entries.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto& [name, tensor] = entries[static_cast<size_t>(i)];
      result.tensors[static_cast<size_t>(i)] = {
          name, std::string(dtype_name(tensor.dtype)), tensor.shape, sha256_hex(tensor.bytes)};
    }
  });
  std::sort(result.tensors.begin(), result.tensors.end(), [](const auto& a, const auto& b) {
    return a.name < b.name;
  });
  Sha256 hash;
  for (const TensorFingerprint& t : result.tensors) {
    hash.update(format("{} {} {} {}\n", t.name, t.dtype, t.shape, t.sha256));
  }
  result.weights_sha256 = to_hex(hash.finish());
  for (const auto& entry : entries) result.parameter_count += entry.tensor.element_count();
  return result;
}

}  // namespace voxloom::weights
