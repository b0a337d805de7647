#include "voxloom/weights/strided.h"

#include <cstring>

#include "voxloom/core/error.h"

namespace voxloom::weights {
namespace {

/// One past the highest element that is touched; checks each step against the storage.
void check_extent(const StridedTensor& t, int64_t stored, std::string_view where) {
  const auto leaves = [&]() -> Error {
    return Error(ErrorCode::kDataCorrupt,
                 format("{}: shape {} with strides {} at {} leaves its storage of {} elements",
                        where,
                        t.shape,
                        t.stride,
                        t.offset,
                        stored));
  };
  if (t.offset < 0 || t.offset > stored) throw leaves();
  int64_t room = stored - t.offset - 1;  // elements after the first
  for (size_t d = 0; d < t.shape.size(); ++d) {
    if (t.stride[d] < 0) throw leaves();
    const int64_t steps = t.shape[d] - 1;
    if (steps > 0 && t.stride[d] > 0) {
      if (steps > room / t.stride[d]) throw leaves();
      room -= steps * t.stride[d];
    }
  }
  if (room < 0) throw leaves();
}

bool is_row_major(const StridedTensor& t) {
  int64_t expected = 1;
  for (size_t d = t.shape.size(); d-- > 0;) {
    if (t.shape[d] != 1 && t.stride[d] != expected) return false;
    expected *= t.shape[d];
  }
  return true;
}

template <size_t kWidth>
void gather(const StridedTensor& t, const std::byte* from, std::byte* to, int64_t count) {
  std::vector<int64_t> index(t.shape.size(), 0);
  int64_t source = 0;
  for (int64_t n = 0; n < count; ++n, to += kWidth) {
    std::memcpy(to, from + source * static_cast<int64_t>(kWidth), kWidth);
    for (size_t d = t.shape.size(); d-- > 0;) {
      source += t.stride[d];
      if (++index[d] < t.shape[d]) break;
      source -= t.stride[d] * t.shape[d];
      index[d] = 0;
    }
  }
}

}  // namespace

void CopyBudget::spend(uint64_t bytes, std::string_view where) {
  VOXLOOM_CHECK(bytes <= left_,
                ErrorCode::kUnsupported,
                "{}: tensors that have to be copied out of the file must need at most {} bytes",
                where,
                total_);
  left_ -= bytes;
}

TensorView to_contiguous(const StridedTensor& t, std::string_view where, CopyBudget& budget) {
  VOXLOOM_CHECK(t.shape.size() == t.stride.size() && t.shape.size() <= 64,
                ErrorCode::kDataCorrupt,
                "{}: must have one stride for each of at most 64 dimensions, got {} and {}",
                where,
                t.stride.size(),
                t.shape.size());
  const size_t width = bytes_per_element(t.dtype);
  const int64_t count = element_count_of(t.shape, where);
  TensorView view{t.dtype, t.shape, {}, t.storage.owner};
  if (count == 0) return view;
  check_extent(t, static_cast<int64_t>(t.storage.bytes.size() / width), where);

  const std::byte* first = t.storage.bytes.data() + t.offset * static_cast<int64_t>(width);
  const uint64_t size = static_cast<uint64_t>(count) * width;
  const bool aligned = reinterpret_cast<uintptr_t>(first) % width == 0;
  if (is_row_major(t) && aligned) {
    view.bytes = {first, static_cast<size_t>(size)};
    return view;
  }
  VOXLOOM_CHECK(static_cast<uint64_t>(count) <= (uint64_t{1} << 48) / width,
                ErrorCode::kUnsupported,
                "{}: shape {} is too large",
                where,
                t.shape);
  budget.spend(size, where);
  std::vector<std::byte> bytes(static_cast<size_t>(size));
  if (is_row_major(t)) {
    std::memcpy(bytes.data(), first, bytes.size());
  } else {
    const auto copy = width == 1   ? gather<1>
                      : width == 2 ? gather<2>
                      : width == 4 ? gather<4>
                                   : gather<8>;
    copy(t, first, bytes.data(), count);
  }
  const SharedBytes owned = own_bytes(std::move(bytes));
  view.bytes = owned.bytes;
  view.owner = owned.owner;
  return view;
}

}  // namespace voxloom::weights
