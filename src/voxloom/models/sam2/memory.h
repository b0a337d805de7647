#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <ATen/core/Tensor.h>

namespace voxloom::models::sam2 {

/// What one slice left behind: its memory map, and whatever the backend that reads it made of it.
class MemoryFrame {
 public:
  /// map [1, memory_dim, g, g], float32. `prompted`: the slice was prompted; such maps are always
  /// read with the last temporal row, which lets a backend prepare more.
  MemoryFrame(const at::Tensor& map, bool prompted);

  /// [g^2, memory_dim], row-major cells, contiguous.
  [[nodiscard]] const at::Tensor& tokens() const { return tokens_; }
  [[nodiscard]] bool prompted() const { return prompted_; }

  /// The form that the backend with this number (above 0) reads, made by `make` at its first
  /// call and kept until another backend asks. `make` may run twice when threads share a frame.
  template <class Make>
  std::shared_ptr<const void> prepared(uint64_t backend, const Make& make) const {
    {
      const std::lock_guard lock(mutex_);
      if (owner_ == backend) return prepared_;
    }
    // Not under the lock: `make` runs parallel loops, which may pick up other work meanwhile.
    std::shared_ptr<const void> made = make();
    const std::lock_guard lock(mutex_);
    prepared_ = std::move(made);
    owner_ = backend;
    return prepared_;
  }
  /// Drops the backend's form; the next read makes it anew.
  void release_prepared() const {
    const std::lock_guard lock(mutex_);
    owner_ = 0;
    prepared_.reset();
  }

 private:
  at::Tensor tokens_;
  bool prompted_;
  mutable std::mutex mutex_;
  mutable uint64_t owner_ = 0;
  mutable std::shared_ptr<const void> prepared_;
};

/// Everything one slice reads from memory.
struct MemoryRead {
  struct Map {
    std::shared_ptr<const MemoryFrame> frame;
    int64_t temporal_row = 0;  ///< Row of maskmem_tpos_enc.
  };
  std::vector<Map> maps;
  at::Tensor pointers;           ///< [4 P, memory_dim] tokens of P object pointers, or undefined.
  at::Tensor pointer_positions;  ///< The same shape.
};

}  // namespace voxloom::models::sam2
