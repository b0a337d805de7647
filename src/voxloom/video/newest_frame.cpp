// Latest frame wins: a thread reads a live stream, the consumer gets what is newest.
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "voxloom/video/open_video.h"

namespace voxloom::video {
namespace {

class NewestFrame final : public VideoReader {
 public:
  explicit NewestFrame(std::unique_ptr<VideoReader> reader) : reader_(std::move(reader)) {
    thread_ = std::thread([this] { read(); });
  }
  ~NewestFrame() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    thread_.join();
  }
  NewestFrame(const NewestFrame&) = delete;
  NewestFrame& operator=(const NewestFrame&) = delete;

  const VideoInfo& info() const override { return reader_->info(); }

  std::optional<image::Frame> next() override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return newest_ || ended_; });
    if (newest_) return std::exchange(newest_, std::nullopt);
    if (failure_) std::rethrow_exception(failure_);
    return std::nullopt;
  }

 private:
  void read() {
    try {
      while (auto frame = reader_->next()) {
        const std::lock_guard lock(mutex_);
        if (stop_) return;
        newest_ = std::move(frame);
        changed_.notify_one();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_one();
  }

  std::unique_ptr<VideoReader> reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<image::Frame> newest_;
  std::exception_ptr failure_;
  bool ended_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<VideoReader> newest_frame_only(std::unique_ptr<VideoReader> reader) {
  if (!reader->info().live) return reader;
  return std::make_unique<NewestFrame>(std::move(reader));
}

}  // namespace voxloom::video
