#include "voxloom/tensor/view.h"

#include <cstdint>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"

namespace voxloom::tensor {

at::ScalarType scalar_type(weights::DType dtype) {
  using weights::DType;
  switch (dtype) {
    case DType::kF32:
      return at::kFloat;
    case DType::kF64:
      return at::kDouble;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kI64:
      return at::kLong;
    case DType::kI32:
      return at::kInt;
    case DType::kI16:
      return at::kShort;
    case DType::kI8:
      return at::kChar;
    case DType::kU8:
      return at::kByte;
    case DType::kBool:
      return at::kBool;
  }
  throw Error(ErrorCode::kInternal, "tensor: unknown stored type");
}

weights::DType stored_dtype(at::ScalarType type) {
  using weights::DType;
  for (int i = 0; i <= static_cast<int>(DType::kBool); ++i) {
    const auto dtype = static_cast<DType>(i);
    if (scalar_type(dtype) == type) return dtype;
  }
  throw Error(ErrorCode::kUnsupported,
              format("tensor: the element type must be storable, got {}", c10::toString(type)));
}

at::Tensor from_view(const weights::TensorView& view) {
  const at::ScalarType type = scalar_type(view.dtype);
  const size_t element = weights::bytes_per_element(view.dtype);
  const size_t wanted = static_cast<size_t>(view.element_count()) * element;
  VOXLOOM_CHECK(view.bytes.size() == wanted,
                ErrorCode::kDataCorrupt,
                "tensor: a view of shape {} must hold {} bytes, got {}",
                view.shape,
                wanted,
                view.bytes.size());
  const auto options = at::TensorOptions().dtype(type);
  if (wanted == 0) return at::empty(view.shape, options);
  auto* data = const_cast<std::byte*>(view.bytes.data());
  if (reinterpret_cast<uintptr_t>(data) % element != 0) {
    at::Tensor copy = at::empty(view.shape, options);
    std::copy(view.bytes.begin(), view.bytes.end(), static_cast<std::byte*>(copy.data_ptr()));
    return copy;
  }
  return at::from_blob(
      data, view.shape, [owner = view.owner](void*) {}, options);
}

weights::TensorView to_view(const at::Tensor& tensor) {
  auto held = std::make_shared<at::Tensor>(tensor.detach().cpu().contiguous());
  weights::TensorView view;
  view.dtype = stored_dtype(held->scalar_type());
  view.shape = held->sizes().vec();
  view.bytes = {static_cast<const std::byte*>(held->const_data_ptr()), held->nbytes()};
  view.owner = held;
  return view;
}

std::string shape_str(const at::Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  return format("{}", tensor.sizes().vec());
}

}  // namespace voxloom::tensor
