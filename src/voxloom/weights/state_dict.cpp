#include "voxloom/weights/state_dict.h"

#include "voxloom/core/error.h"

namespace voxloom::weights {

size_t bytes_per_element(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kF16:
    case DType::kBF16:
    case DType::kI16:
      return 2;
    case DType::kI8:
    case DType::kU8:
    case DType::kBool:
      return 1;
  }
  throw Error(ErrorCode::kInternal, "unknown element type");
}

std::string_view dtype_name(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF64:
      return "f64";
    case DType::kF16:
      return "f16";
    case DType::kBF16:
      return "bf16";
    case DType::kI64:
      return "i64";
    case DType::kI32:
      return "i32";
    case DType::kI16:
      return "i16";
    case DType::kI8:
      return "i8";
    case DType::kU8:
      return "u8";
    case DType::kBool:
      return "bool";
  }
  throw Error(ErrorCode::kInternal, "unknown element type");
}

int64_t element_count_of(const std::vector<int64_t>& shape, std::string_view where) {
  constexpr int64_t kMost = int64_t{1} << 62;
  int64_t count = 1;
  bool empty = false;
  for (const int64_t extent : shape) {
    empty = empty || extent == 0;
    const int64_t factor = extent > 0 ? extent : 1;
    VOXLOOM_CHECK(extent >= 0 && count <= kMost / factor,
                  ErrorCode::kDataCorrupt,
                  "{}: shape {} is not possible",
                  where,
                  shape);
    count *= factor;
  }
  return empty ? 0 : count;
}

int64_t TensorView::element_count() const {
  return element_count_of(shape, "tensor");
}

void StateDict::add(std::string name, TensorView tensor) {
  VOXLOOM_CHECK(index_.emplace(name, entries_.size()).second,
                ErrorCode::kDataCorrupt,
                "tensor '{}' appears twice",
                name);
  entries_.push_back({std::move(name), std::move(tensor)});
}

const TensorView* StateDict::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &entries_[it->second].tensor;
}

}  // namespace voxloom::weights
