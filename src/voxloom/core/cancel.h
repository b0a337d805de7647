#pragma once

#include <atomic>
#include <memory>

#include "voxloom/core/error.h"

namespace voxloom {

/// A shared flag that asks long work to stop. Copies share the flag; any thread may set it.
class CancelToken {
 public:
  CancelToken() : flag_(std::make_shared<std::atomic<bool>>(false)) {}

  void cancel() const { flag_->store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool cancelled() const { return flag_->load(std::memory_order_relaxed); }

  /// Throws Error(kCancelled) once cancel() was called. Call between slices.
  void check() const {
    if (cancelled()) throw Error(ErrorCode::kCancelled, "stopped on request");
  }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace voxloom
