// Stands in for FFmpeg in builds without VOXLOOM_VIDEO.
#include "voxloom/core/error.h"
#include "voxloom/video/readers.h"
#include "voxloom/video/video_writer.h"

namespace voxloom::video {

struct VideoWriter::State {};

namespace {

constexpr const char* kAbsent = "video: this build reads and writes no video files (VOXLOOM_VIDEO)";

}  // namespace

std::unique_ptr<VideoReader> open_ffmpeg(const std::string&, StreamKind, const OpenOptions&) {
  throw Error(ErrorCode::kUnsupported, kAbsent);
}

VideoWriter::VideoWriter(const std::filesystem::path&, const WriterOptions&, Overwrite) {
  throw Error(ErrorCode::kUnsupported, kAbsent);
}
VideoWriter::~VideoWriter() = default;
void VideoWriter::write(std::span<const uint8_t>) {}
void VideoWriter::finish() {}

}  // namespace voxloom::video
