#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::weights {

/// Element types of stored tensors. Append only.
enum class DType : uint8_t {
  kF32,
  kF64,
  kF16,
  kBF16,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
};

[[nodiscard]] size_t bytes_per_element(DType dtype);
[[nodiscard]] std::string_view dtype_name(DType dtype);  ///< "f32", "bf16", ...

/// A stored tensor: row-major contiguous little-endian bytes inside a mapped file (or a buffer),
/// aligned for its element type.
struct TensorView {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  ///< Keeps `bytes` alive.

  [[nodiscard]] int64_t element_count() const;
};

/// Named tensors in file order.
class StateDict {
 public:
  struct Entry {
    std::string name;
    TensorView tensor;
  };

  /// Throws kDataCorrupt when `name` is there already.
  void add(std::string name, TensorView tensor);
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  std::vector<Entry> entries_;
  std::map<std::string, size_t, std::less<>> index_;
};

/// Number of elements of `shape`, 1 for a scalar. Throws kDataCorrupt naming `where` when an
/// extent is negative or the product leaves 2^62.
[[nodiscard]] int64_t element_count_of(const std::vector<int64_t>& shape, std::string_view where);

}  // namespace voxloom::weights
