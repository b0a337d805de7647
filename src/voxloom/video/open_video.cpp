#include "voxloom/video/open_video.h"

#include <filesystem>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/video/readers.h"

namespace voxloom::video {

std::unique_ptr<VideoReader> open_video(const std::string& source, const OpenOptions& options) {
  namespace fs = std::filesystem;
  if (source == "-") return open_raw_frames(0, "standard input", options);
  if (source.rfind("rtsp://", 0) == 0 || source.rfind("rtsps://", 0) == 0) {
    return open_ffmpeg(source, StreamKind::kNetwork, options);
  }
  VOXLOOM_CHECK(
      fs::exists(source), ErrorCode::kNotFound, "video '{}': there is no such file", source);
  if (fs::is_character_file(source)) return open_ffmpeg(source, StreamKind::kCamera, options);
  if (fs::is_directory(source)) return open_picture_folder(source, options);
  if (io::is_dicom_file(source)) return open_xa(source, options);
  return open_ffmpeg(source, StreamKind::kFile, options);
}

}  // namespace voxloom::video
