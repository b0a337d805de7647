#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "voxloom/weights/state_dict.h"

namespace voxloom::tensor {

[[nodiscard]] at::ScalarType scalar_type(weights::DType dtype);
/// Throws kUnsupported for types that no container stores (complex, quantised).
[[nodiscard]] weights::DType stored_dtype(at::ScalarType type);

/// A CPU tensor over the view's bytes, without a copy; it keeps the view's owner alive.
/// Read only: the bytes may be a mapped file. Misaligned bytes are copied.
[[nodiscard]] at::Tensor from_view(const weights::TensorView& view);

/// The tensor's values as a view that keeps them alive; copies only what is not contiguous on
/// the CPU.
[[nodiscard]] weights::TensorView to_view(const at::Tensor& tensor);

/// "[1, 3, 512, 512]", for messages.
[[nodiscard]] std::string shape_str(const at::Tensor& tensor);

}  // namespace voxloom::tensor
