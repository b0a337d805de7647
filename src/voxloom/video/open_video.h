#pragma once

#include <memory>
#include <string>

#include "voxloom/video/video_reader.h"

namespace voxloom::video {

/// What a stream that does not describe itself looks like.
struct RawFormat {
  int64_t width = 0, height = 0;
  int bits = 8;  ///< 8 or 16 (little-endian, full scale 65535).
  double frames_per_s = 15.0;
};

struct OpenOptions {
  RawFormat raw;            ///< For "-".
  double pixel_mm = 0.0;    ///< Pixel edge where the stream does not say; 0: unknown.
  double timeout_s = 10.0;  ///< A camera or network stream that is silent for longer has stopped.
};

/// Opens a stream of frames:
///   a DICOM XA or XRF file    frame times and pixel size from its header
///   a folder                  its PNG and JPEG files in order of name, 15 a second
///   "-"                       raw grey frames on standard input (OpenOptions::raw)
///   "/dev/videoN"             a camera (V4L2)
///   "rtsp://..."              a network stream
///   anything else             a video file that FFmpeg reads
/// Colour becomes grey by the stream's luma. Throws kNotFound, kDataCorrupt, kUnsupported (a codec
/// or a build without VOXLOOM_VIDEO), kUnavailable (camera, network).
[[nodiscard]] std::unique_ptr<VideoReader> open_video(const std::string& source,
                                                      const OpenOptions& options = {});

/// Reads a live stream on a thread of its own and hands out the newest frame alone: a slow consumer
/// drops frames and never lags behind. Files are passed through untouched.
[[nodiscard]] std::unique_ptr<VideoReader> newest_frame_only(std::unique_ptr<VideoReader> reader);

}  // namespace voxloom::video
