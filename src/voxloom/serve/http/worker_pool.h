#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace voxloom::serve::http {

/// A bounded number of threads, started as they are needed, behind a bounded queue.
/// Thread-safe.
class WorkerPool {
 public:
  WorkerPool(size_t max_threads, size_t max_queued);
  /// Waits for what runs and what is queued.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False, and nothing happens, when the queue is full. `job` must not throw.
  [[nodiscard]] bool try_post(std::function<void()> job);

 private:
  void work();

  const size_t max_threads_, max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0, running_ = 0;
  bool stopping_ = false;
};

}  // namespace voxloom::serve::http
