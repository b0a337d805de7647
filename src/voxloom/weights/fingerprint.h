#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

struct TensorFingerprint {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::string sha256;  ///< Of the row-major little-endian bytes.
};

/// What a user compares with a published file.
struct Fingerprint {
  /// Of names, types, shapes and bytes of all tensors, whatever their order and whatever kind of
  /// file holds them: SHA-256 over the sorted lines `name dtype [d0, d1] sha256\n`. The same
  /// weights as .pt and as safetensors have the same one.
  std::string weights_sha256;
  std::vector<TensorFingerprint> tensors;  ///< Sorted by name.
  int64_t parameter_count = 0;             ///< Elements of all tensors.
};

/// Hashes the tensors in parallel.
[[nodiscard]] Fingerprint fingerprint(const StateDict& tensors);

}  // namespace voxloom::weights
