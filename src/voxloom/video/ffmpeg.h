#pragma once

// The only header that includes FFmpeg; for .cpp files of this layer.

#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

#include "voxloom/core/error.h"

namespace voxloom::video {

/// FFmpeg's words for one of its codes.
inline std::string ffmpeg_words(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return text;
}

/// Throws `code` with `what` and FFmpeg's words when `result` is negative.
inline int ffmpeg_check(int result, ErrorCode code, const std::string& what) {
  VOXLOOM_CHECK(result >= 0, code, "{}: {}", what, ffmpeg_words(result));
  return result;
}

struct FfmpegDelete {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using CodecPtr = std::unique_ptr<AVCodecContext, FfmpegDelete>;
using FramePtr = std::unique_ptr<AVFrame, FfmpegDelete>;
using PacketPtr = std::unique_ptr<AVPacket, FfmpegDelete>;
using ScalerPtr = std::unique_ptr<SwsContext, FfmpegDelete>;

}  // namespace voxloom::video
