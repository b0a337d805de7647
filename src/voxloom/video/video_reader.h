#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "voxloom/image/frame.h"

namespace voxloom::video {

/// What is known about a stream before it is read.
struct VideoInfo {
  int64_t width = 0, height = 0;
  double frames_per_s = 0.0;  ///< 0: unknown (raw frames, some cameras).
  int64_t frames = 0;         ///< 0: unknown or endless.
  double pixel_mm = 0.0;      ///< From imager pixel spacing; 0: unknown.
  bool live = false;          ///< A camera or network stream: late frames are dropped, not queued.
  std::string codec;          ///< "h264", "dicom", "raw", ...
};

/// A stream of grey frames.
class VideoReader {
 public:
  virtual ~VideoReader() = default;
  [[nodiscard]] virtual const VideoInfo& info() const = 0;
  /// The next frame, or none at the end. Throws kDataCorrupt naming file and frame for damaged
  /// data, kUnavailable when a camera or network stream stops.
  [[nodiscard]] virtual std::optional<image::Frame> next() = 0;
};

}  // namespace voxloom::video
