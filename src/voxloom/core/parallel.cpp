#include "voxloom/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <sched.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

int available_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

std::atomic<int> g_budget{0};

}  // namespace

int thread_budget() {
  const int budget = g_budget.load();
  return budget > 0 ? budget : available_cores();
}

void set_thread_budget(int threads) {
  VOXLOOM_CHECK(threads >= 0,
                ErrorCode::kInvalidArgument,
                "threads: must be 0 (all cores) or more, got {}",
                threads);
  g_budget.store(threads);
}

void parallel_for(int64_t begin,
                  int64_t end,
                  int64_t grain,
                  const std::function<void(int64_t, int64_t)>& body) {
  if (begin >= end) return;
  const int threads = thread_budget();
  grain = std::max<int64_t>(1, grain);
  if (threads == 1 || end - begin <= grain) {
    body(begin, end);
    return;
  }
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<int64_t>(begin, end, static_cast<size_t>(grain)),
        [&body](const tbb::blocked_range<int64_t>& range) { body(range.begin(), range.end()); });
  });
}

}  // namespace voxloom
