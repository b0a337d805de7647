#pragma once

#include <optional>

#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

namespace voxloom::tensor {

/// libtorch's autocast on `device` for as long as the object lives: matrix products and
/// convolutions in `type` (bfloat16 or half), the rest in float32; without a type it is off. The
/// casts of the weights are kept for as long, so one object covers one batch. The state before
/// comes back.
class Autocast {
 public:
  explicit Autocast(std::optional<at::ScalarType> type = at::kBFloat16,
                    c10::DeviceType device = c10::DeviceType::CPU);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  c10::DeviceType device_;
  bool was_enabled_;
  at::ScalarType old_type_;
};

}  // namespace voxloom::tensor
