#pragma once

#include <cstdint>
#include <mutex>

#include "voxloom/core/cancel.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/progress.h"

namespace voxloom::dataset {

/// Calls f(i) for 0 ... count - 1 on all threads of the budget, with progress called `what`.
/// Throws kCancelled, and what f throws.
template <class F>
void for_each_sample(
    const char* what, int64_t count, Progress& progress, const CancelToken& stop, const F& f) {
  std::mutex mutex;
  progress.begin(what, count);
  parallel_for(0, count, 4, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      stop.check();
      f(static_cast<size_t>(i));
      const std::lock_guard lock(mutex);
      progress.advance(1);
    }
  });
  progress.end();
}

}  // namespace voxloom::dataset
