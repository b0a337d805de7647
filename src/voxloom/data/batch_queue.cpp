#include "voxloom/data/batch_queue.h"

#include <utility>

namespace voxloom::data {

BatchQueue::BatchQueue(Make make, int64_t workers, int64_t prefetch)
    : make_(std::move(make)), slots_(static_cast<size_t>(prefetch)) {
  threads_.reserve(static_cast<size_t>(workers));
  for (int64_t i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
}

BatchQueue::~BatchQueue() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  may_work_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void BatchQueue::begin(int64_t epoch, int64_t first, int64_t total) {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    epoch_ = epoch;
    total_ = total;
    claimed_ = taken_ = first;
    for (auto& slot : slots_) slot = {};
  }
  may_work_.notify_all();
}

std::unique_ptr<RawBatch> BatchQueue::next() {
  std::unique_lock lock(mutex_);
  if (taken_ >= total_) return nullptr;
  Slot& slot = slots_[static_cast<size_t>(taken_) % slots_.size()];
  may_take_.wait(lock, [&] { return slot.ready; });
  Slot got = std::exchange(slot, {});
  if (got.failure) {
    total_ = taken_;
    std::rethrow_exception(got.failure);
  }
  ++taken_;
  lock.unlock();
  may_work_.notify_one();
  return std::move(got.batch);
}

void BatchQueue::work() {
  const auto room = [this] {
    return claimed_ < total_ && claimed_ < taken_ + static_cast<int64_t>(slots_.size());
  };
  std::unique_lock lock(mutex_);
  while (true) {
    may_work_.wait(lock, [&] { return stop_ || room(); });
    if (stop_) return;
    const uint64_t generation = generation_;
    const int64_t epoch = epoch_, batch = claimed_++;
    lock.unlock();
    Slot made;
    made.ready = true;
    try {
      made.batch = std::make_unique<RawBatch>(make_(epoch, batch));
    } catch (...) {
      made.failure = std::current_exception();
    }
    lock.lock();
    if (generation != generation_) continue;
    slots_[static_cast<size_t>(batch) % slots_.size()] = std::move(made);
    may_take_.notify_one();
  }
}

}  // namespace voxloom::data
