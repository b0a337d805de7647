#include "voxloom/video/video_writer.h"

#include <cmath>

#include "voxloom/core/parallel.h"
#include "voxloom/video/ffmpeg.h"

namespace voxloom::video {
namespace {

struct OutputDelete {
  void operator()(AVFormatContext* p) const {
    if (p->pb != nullptr) avio_closep(&p->pb);
    avformat_free_context(p);
  }
};

}  // namespace

struct VideoWriter::State {
  State(const std::filesystem::path& target, const WriterOptions& given, Overwrite overwrite)
      : options(given), path(target.filename().string()), file(target, overwrite) {}

  WriterOptions options;
  std::string path;
  AtomicFile file;
  std::unique_ptr<AVFormatContext, OutputDelete> output;
  CodecPtr encoder;
  FramePtr frame;
  PacketPtr packet;
  ScalerPtr scaler;
  int64_t number = 0;

  [[nodiscard]] std::string where() const { return format("video '{}'", path); }

  void encode(const AVFrame* picture) {
    ffmpeg_check(avcodec_send_frame(encoder.get(), picture), ErrorCode::kInternal, where());
    while (true) {
      const int got = avcodec_receive_packet(encoder.get(), packet.get());
      if (got == AVERROR(EAGAIN) || got == AVERROR_EOF) return;
      ffmpeg_check(got, ErrorCode::kInternal, where());
      av_packet_rescale_ts(packet.get(), encoder->time_base, output->streams[0]->time_base);
      packet->stream_index = 0;
      ffmpeg_check(
          av_interleaved_write_frame(output.get(), packet.get()), ErrorCode::kUnavailable, where());
    }
  }
};

VideoWriter::VideoWriter(const std::filesystem::path& path,
                         const WriterOptions& options,
                         Overwrite overwrite) {
  VOXLOOM_CHECK(options.width >= 2 && options.height >= 2 && options.width <= 16384 &&
                    options.height <= 16384,
                ErrorCode::kInvalidArgument,
                "video '{}': must have 2 to 16384 px a side, got {} x {}",
                path.filename().string(),
                options.width,
                options.height);
  VOXLOOM_CHECK(options.frames_per_s > 0.0 && options.frames_per_s <= 1000.0,
                ErrorCode::kInvalidArgument,
                "video '{}': frames a second must lie within (0, 1000], got {}",
                path.filename().string(),
                options.frames_per_s);
  av_log_set_level(AV_LOG_QUIET);
  state_ = std::make_unique<State>(path, options, overwrite);
  State& s = *state_;

  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) codec = avcodec_find_encoder(AV_CODEC_ID_H264);
  if (codec == nullptr) codec = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
  VOXLOOM_CHECK(codec != nullptr,
                ErrorCode::kUnsupported,
                "{}: this FFmpeg has neither an H.264 nor an MPEG-4 encoder",
                s.where());

  const auto name = s.file.temporary_path().string();
  AVFormatContext* output = nullptr;
  ffmpeg_check(avformat_alloc_output_context2(&output, nullptr, "mp4", name.c_str()),
               ErrorCode::kUnsupported,
               s.where());
  s.output.reset(output);
  AVStream* stream = avformat_new_stream(output, nullptr);
  s.encoder.reset(avcodec_alloc_context3(codec));
  AVCodecContext& e = *s.encoder;
  e.width = static_cast<int>(options.width / 2 * 2);
  e.height = static_cast<int>(options.height / 2 * 2);
  e.time_base = av_d2q(1.0 / options.frames_per_s, 1000000);
  e.framerate = av_inv_q(e.time_base);
  e.pix_fmt = AV_PIX_FMT_YUV420P;
  e.color_range = AVCOL_RANGE_MPEG;
  e.colorspace = AVCOL_SPC_BT709;
  e.color_primaries = AVCOL_PRI_BT709;
  e.color_trc = AVCOL_TRC_BT709;
  e.gop_size = static_cast<int>(std::max(1.0, std::round(options.frames_per_s)));
  e.thread_count = thread_budget();
  e.flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  av_opt_set(e.priv_data, "preset", "veryfast", 0);
  av_opt_set(e.priv_data, "crf", std::to_string(options.quality).c_str(), 0);
  ffmpeg_check(avcodec_open2(&e, codec, nullptr), ErrorCode::kUnsupported, s.where());
  ffmpeg_check(
      avcodec_parameters_from_context(stream->codecpar, &e), ErrorCode::kInternal, s.where());
  stream->time_base = e.time_base;
  stream->avg_frame_rate = e.framerate;
  ffmpeg_check(
      avio_open(&output->pb, name.c_str(), AVIO_FLAG_WRITE), ErrorCode::kUnavailable, s.where());
  AVDictionary* settings = nullptr;
  av_dict_set(&settings, "movflags", "+faststart", 0);
  const int started = avformat_write_header(output, &settings);
  av_dict_free(&settings);
  ffmpeg_check(started, ErrorCode::kUnavailable, s.where());

  s.packet.reset(av_packet_alloc());
  s.frame.reset(av_frame_alloc());
  s.frame->format = e.pix_fmt;
  s.frame->width = e.width;
  s.frame->height = e.height;
  ffmpeg_check(av_frame_get_buffer(s.frame.get(), 0), ErrorCode::kUnavailable, s.where());
  s.scaler.reset(sws_getContext(e.width,
                                e.height,
                                AV_PIX_FMT_RGB24,
                                e.width,
                                e.height,
                                e.pix_fmt,
                                SWS_BILINEAR | SWS_ACCURATE_RND,
                                nullptr,
                                nullptr,
                                nullptr));
  const int* table = sws_getCoefficients(SWS_CS_ITU709);
  sws_setColorspaceDetails(s.scaler.get(), table, 1, table, 0, 0, 1 << 16, 1 << 16);
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::write(std::span<const uint8_t> rgb) {
  State& s = *state_;
  VOXLOOM_CHECK(rgb.size() == static_cast<size_t>(s.options.width * s.options.height * 3),
                ErrorCode::kInvalidArgument,
                "{}: a frame must have {} bytes, got {}",
                s.where(),
                s.options.width * s.options.height * 3,
                rgb.size());
  ffmpeg_check(av_frame_make_writable(s.frame.get()), ErrorCode::kUnavailable, s.where());
  const uint8_t* planes[1] = {rgb.data()};
  const int strides[1] = {static_cast<int>(s.options.width * 3)};
  sws_scale(s.scaler.get(), planes, strides, 0, s.frame->height, s.frame->data, s.frame->linesize);
  s.frame->pts = s.number++;
  s.encode(s.frame.get());
}

void VideoWriter::finish() {
  State& s = *state_;
  VOXLOOM_CHECK(s.number > 0,
                ErrorCode::kInvalidArgument,
                "{}: must have at least one frame, got none",
                s.where());
  s.encode(nullptr);
  ffmpeg_check(av_write_trailer(s.output.get()), ErrorCode::kUnavailable, s.where());
  ffmpeg_check(avio_closep(&s.output->pb), ErrorCode::kUnavailable, s.where());
  s.file.commit();
}

}  // namespace voxloom::video
