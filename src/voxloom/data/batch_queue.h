#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace voxloom::data {

/// A batch as plain memory.
struct RawBatch {
  int64_t count = 0, channels = 1, height = 0, width = 0;
  std::vector<float> image;     ///< [B, C, H, W]
  std::vector<uint8_t> target;  ///< [B, H, W]
  std::vector<int64_t> items;   ///< [B]
};

/// Makes batches 0 ... total - 1 of an epoch on worker threads, in any order, and hands them out in
/// order. At most `prefetch` batches exist beside the one handed out last, in work or finished.
class BatchQueue {
 public:
  /// Must give the same batch for the same arguments; called by all workers at once.
  using Make = std::function<RawBatch(int64_t epoch, int64_t batch)>;

  BatchQueue(Make make, int64_t workers, int64_t prefetch);
  /// Waits for the batches in work.
  ~BatchQueue();
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  /// Drops what was made and goes on with batches first ... total - 1 of `epoch`.
  void begin(int64_t epoch, int64_t first, int64_t total);
  /// The next batch, nothing at the end. Throws what making it threw; the epoch is over then.
  [[nodiscard]] std::unique_ptr<RawBatch> next();

 private:
  struct Slot {
    std::unique_ptr<RawBatch> batch;
    std::exception_ptr failure;
    bool ready = false;
  };
  void work();

  Make make_;
  std::mutex mutex_;
  std::condition_variable may_work_, may_take_;
  std::vector<Slot> slots_;  ///< Batch b lies in slot b modulo their number.
  uint64_t generation_ = 0;  ///< Of begin(): what belongs to an older one is dropped.
  int64_t epoch_ = 0, total_ = 0;
  int64_t claimed_ = 0;  ///< Next batch that a worker takes.
  int64_t taken_ = 0;    ///< Next batch that next() hands out.
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace voxloom::data
