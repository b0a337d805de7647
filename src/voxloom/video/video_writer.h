#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "voxloom/core/atomic_file.h"

namespace voxloom::video {

struct WriterOptions {
  int64_t width = 0, height = 0;  ///< px; odd sizes lose their last row or column (4:2:0 video).
  double frames_per_s = 15.0;
  int quality = 18;  ///< x264's constant rate factor: 0 lossless ... 51; 18 looks like the source.
};

/// Writes an MP4 that browsers play while it loads: H.264 (libx264, else the encoder that this
/// FFmpeg has, else MPEG-4), yuv420p, index in front. The file appears whole, with finish(), or not
/// at all.
class VideoWriter {
 public:
  /// Throws kAlreadyExists, kUnavailable, kUnsupported (no encoder, or a build without
  /// VOXLOOM_VIDEO), kInvalidArgument for a size or rate that can't be written.
  VideoWriter(const std::filesystem::path& path, const WriterOptions& options, Overwrite overwrite);
  ~VideoWriter();
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  /// rgb [height, width, 3].
  void write(std::span<const uint8_t> rgb);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxloom::video
