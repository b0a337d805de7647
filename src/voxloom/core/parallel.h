#pragma once

#include <cstdint>
#include <functional>

namespace voxloom {

/// The one thread budget of the process: our own loops (oneTBB), libtorch's OpenMP pool and
/// OpenVINO all take their size from here. Default: the cores this process may run on.
[[nodiscard]] int thread_budget();

/// Sets the budget; 0 restores the default. Call before the ML library is opened.
/// Throws kInvalidArgument when negative.
void set_thread_budget(int threads);

/// Runs body(first, last) over disjoint chunks of [begin, end) on at most thread_budget()
/// threads. Chunks hold at least `grain` items. Exceptions of `body` reach the caller.
void parallel_for(int64_t begin,
                  int64_t end,
                  int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body);

}  // namespace voxloom
