#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace voxloom::kernels {

/// An array of numbers that starts on a cache line; grows, never shrinks. What it holds is
/// unspecified after ensure() had to grow it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count) { ensure(count); }

  /// At least `count` elements.
  T* ensure(int64_t count) {
    if (count > size_) {
      data_.reset();
      size_ = 0;
      const auto bytes = static_cast<size_t>(count) * sizeof(T);
      data_.reset(static_cast<T*>(::operator new (bytes, std::align_val_t{kAlignment})));
      size_ = count;
    }
    return data_.get();
  }
  /// As ensure(), with all `count` elements zero.
  T* zeros(int64_t count) {
    ensure(count);
    std::fill_n(data_.get(), count, T{});
    return data_.get();
  }

  [[nodiscard]] T* data() { return data_.get(); }
  [[nodiscard]] const T* data() const { return data_.get(); }
  [[nodiscard]] int64_t size() const { return size_; }
  [[nodiscard]] int64_t bytes() const { return size_ * static_cast<int64_t>(sizeof(T)); }

 private:
  static constexpr size_t kAlignment = 64;
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> data_;
  int64_t size_ = 0;
};

}  // namespace voxloom::kernels
