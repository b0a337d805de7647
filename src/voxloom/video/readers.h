#pragma once

// The kinds of streams behind open_video(); for this layer alone.

#include <memory>
#include <string>

#include "voxloom/video/open_video.h"

namespace voxloom::video {

enum class StreamKind { kFile, kCamera, kNetwork };

[[nodiscard]] std::unique_ptr<VideoReader> open_ffmpeg(const std::string& source,
                                                       StreamKind kind,
                                                       const OpenOptions& options);
[[nodiscard]] std::unique_ptr<VideoReader> open_xa(const std::string& path,
                                                   const OpenOptions& options);
[[nodiscard]] std::unique_ptr<VideoReader> open_picture_folder(const std::string& path,
                                                               const OpenOptions& options);
/// `fd` stays open.
[[nodiscard]] std::unique_ptr<VideoReader> open_raw_frames(int fd,
                                                           const std::string& name,
                                                           const OpenOptions& options);

}  // namespace voxloom::video
