#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "voxloom/core/mapped_file.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::weights {

/// What may still be spent on tensors that are copied out of a file.
class CopyBudget {
 public:
  explicit CopyBudget(uint64_t bytes) : left_(bytes), total_(bytes) {}
  /// Throws kUnsupported naming `where` when `bytes` exceed what is left.
  void spend(uint64_t bytes, std::string_view where);

 private:
  uint64_t left_, total_;
};

/// A tensor inside a storage: element (i, j, ...) is at offset + i stride[0] + j stride[1] + ...,
/// all counted in elements.
struct StridedTensor {
  DType dtype = DType::kF32;
  SharedBytes storage;
  int64_t offset = 0;
  std::vector<int64_t> shape, stride;
};

/// Row-major: a view of the storage where it is so already and aligned, else a copy.
/// Throws kDataCorrupt naming `where` when an element lies outside the storage.
[[nodiscard]] TensorView to_contiguous(const StridedTensor& tensor,
                                       std::string_view where,
                                       CopyBudget& budget);

}  // namespace voxloom::weights
