// Frames without a container: grey pixels, one frame after the other.
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/video/readers.h"

namespace voxloom::video {
namespace {

class RawReader final : public VideoReader {
 public:
  RawReader(int fd, std::string name, const OpenOptions& options)
      : fd_(fd), name_(std::move(name)), format_(options.raw) {
    constexpr int64_t kLargestSide = 1 << 14;
    VOXLOOM_CHECK(format_.width > 0 && format_.height > 0 && format_.width <= kLargestSide &&
                      format_.height <= kLargestSide,
                  ErrorCode::kInvalidArgument,
                  "raw frames: need a size of 1 to {} px a side (--raw WIDTHxHEIGHT), got {} x {}",
                  kLargestSide,
                  format_.width,
                  format_.height);
    VOXLOOM_CHECK(format_.bits == 8 || format_.bits == 16,
                  ErrorCode::kInvalidArgument,
                  "raw frames: must have 8 or 16 bits, got {}",
                  format_.bits);
    VOXLOOM_CHECK(format_.frames_per_s > 0.0,
                  ErrorCode::kInvalidArgument,
                  "raw frames: frames a second must be above 0, got {}",
                  format_.frames_per_s);
    info_ = {.width = format_.width,
             .height = format_.height,
             .frames_per_s = format_.frames_per_s,
             .pixel_mm = options.pixel_mm,
             .codec = "raw"};
    bytes_.resize(static_cast<size_t>(format_.width * format_.height * format_.bits / 8));
  }

  const VideoInfo& info() const override { return info_; }

  std::optional<image::Frame> next() override {
    size_t filled = 0;
    while (filled < bytes_.size()) {
      const auto got = ::read(fd_, bytes_.data() + filled, bytes_.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      VOXLOOM_CHECK(got >= 0,
                    ErrorCode::kUnavailable,
                    "raw frames from {}: reading failed at frame {}: {}",
                    name_,
                    number_,
                    std::strerror(errno));
      if (got == 0) break;
      filled += static_cast<size_t>(got);
    }
    if (filled == 0) return std::nullopt;
    VOXLOOM_CHECK(filled == bytes_.size(),
                  ErrorCode::kDataCorrupt,
                  "raw frames from {}: frame {} must have {} bytes, the stream ends after {}",
                  name_,
                  number_,
                  bytes_.size(),
                  filled);
    image::Frame frame{.width = format_.width,
                       .height = format_.height,
                       .number = number_,
                       .time_s = static_cast<double>(number_) / format_.frames_per_s,
                       .pixel_mm = info_.pixel_mm};
    frame.pixels.resize(static_cast<size_t>(format_.width * format_.height));
    for (size_t i = 0; i < frame.pixels.size(); ++i) {
      frame.pixels[i] = format_.bits == 8
                            ? static_cast<float>(bytes_[i]) / 255.0F
                            : static_cast<float>(bytes_[2 * i] | bytes_[2 * i + 1] << 8) / 65535.0F;
    }
    ++number_;
    return frame;
  }

 private:
  int fd_;
  std::string name_;
  RawFormat format_;
  VideoInfo info_;
  std::vector<uint8_t> bytes_;
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<VideoReader> open_raw_frames(int fd,
                                             const std::string& name,
                                             const OpenOptions& options) {
  return std::make_unique<RawReader>(fd, name, options);
}

}  // namespace voxloom::video
