#pragma once

#include <c10/core/ScalarType.h>

namespace voxloom::tensor {

/// libtorch's autocast on the CPU for as long as the object lives: matrix products and
/// convolutions in `type` (bfloat16 or half), the rest in float32. The state before comes back.
class Autocast {
 public:
  explicit Autocast(at::ScalarType type = at::kBFloat16);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool was_enabled_;
  at::ScalarType old_type_;
};

}  // namespace voxloom::tensor
