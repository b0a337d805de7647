#include "voxloom/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

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

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VOXLOOM_PLAIN_THREADS
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define VOXLOOM_PLAIN_THREADS
#endif

#ifdef VOXLOOM_PLAIN_THREADS
// ThreadSanitizer can't see the synchronisation inside oneTBB's library and would call every loop
// a race; with threads of its own it checks our bodies.
void run_chunks(int threads,
                int64_t begin,
                int64_t end,
                int64_t grain,
                const std::function<void(int64_t, int64_t)>& body) {
  std::atomic<int64_t> next{begin};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (int64_t first = next.fetch_add(grain); first < end; first = next.fetch_add(grain)) {
        body(first, std::min(end, first + grain));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      next = end;
    }
  };
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i) workers.emplace_back(work);
  work();
  for (auto& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
}
#else
void run_chunks(int threads,
                int64_t begin,
                int64_t end,
                int64_t grain,
                const std::function<void(int64_t, int64_t)>& body) {
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<int64_t>(begin, end, static_cast<size_t>(grain)),
        [&body](const tbb::blocked_range<int64_t>& range) { body(range.begin(), range.end()); });
  });
}
#endif

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
  run_chunks(threads, begin, end, grain, body);
}

}  // namespace voxloom
