// Video files, cameras and network streams through FFmpeg.
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "voxloom/core/parallel.h"
#include "voxloom/video/ffmpeg.h"
#include "voxloom/video/readers.h"

namespace voxloom::video {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kLargestSide = 1 << 14;

/// Ends calls that block for longer than allowed: a camera that was unplugged, a silent network.
struct Deadline {
  double seconds = 0.0;
  Clock::time_point until;
  void restart() {
    until = Clock::now() +
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  static int expired(void* self) {
    const auto* deadline = static_cast<const Deadline*>(self);
    return deadline->seconds > 0.0 && Clock::now() > deadline->until ? 1 : 0;
  }
};

struct FormatDelete {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
};

class FfmpegReader final : public VideoReader {
 public:
  FfmpegReader(const std::string& source, StreamKind kind, const OpenOptions& options)
      : kind_(kind), name_(shown_name(source, kind)) {
    av_log_set_level(AV_LOG_QUIET);  // Its lines may name files; errors come back as codes.
    deadline_.seconds = kind == StreamKind::kFile ? 0.0 : options.timeout_s;
    open_input(source);
    open_decoder();
    info_.pixel_mm = options.pixel_mm;
    packet_.reset(av_packet_alloc());
    frame_.reset(av_frame_alloc());
  }

  const VideoInfo& info() const override { return info_; }

  std::optional<image::Frame> next() override {
    deadline_.restart();
    while (true) {
      const int got = avcodec_receive_frame(decoder_.get(), frame_.get());
      if (got == 0) return grey_frame();
      if (got == AVERROR_EOF) return end_of_stream();
      if (got != AVERROR(EAGAIN)) damaged(got);
      if (const int sent = send_packet(); sent < 0 && sent != AVERROR_EOF) damaged(sent);
    }
  }

 private:
  /// Messages name the file alone; an address may hold a password.
  static std::string shown_name(const std::string& source, StreamKind kind) {
    if (kind == StreamKind::kNetwork) return "network stream";
    return format("'{}'", std::filesystem::path(source).filename().string());
  }

  void open_input(const std::string& source) {
    AVFormatContext* raw = avformat_alloc_context();
    VOXLOOM_CHECK(raw != nullptr, ErrorCode::kUnavailable, "video: out of memory");
    raw->interrupt_callback = {.callback = Deadline::expired, .opaque = &deadline_};
    const AVInputFormat* input = nullptr;
    AVDictionary* settings = nullptr;
    if (kind_ == StreamKind::kCamera) {
      avdevice_register_all();
      input = av_find_input_format("v4l2");
    } else if (kind_ == StreamKind::kNetwork) {
      av_dict_set(&settings, "rtsp_transport", "tcp", 0);
      av_dict_set(&settings, "fflags", "nobuffer", 0);
    } else {
      // A file is a file: no playlist or address inside it is followed.
      av_dict_set(&settings, "protocol_whitelist", "file", 0);
    }
    deadline_.restart();
    const int opened = avformat_open_input(&raw, source.c_str(), input, &settings);
    av_dict_free(&settings);
    const auto failure =
        kind_ == StreamKind::kFile ? ErrorCode::kDataCorrupt : ErrorCode::kUnavailable;
    ffmpeg_check(opened, failure, format("video {}: can't be opened", name_));
    input_.reset(raw);
    ffmpeg_check(avformat_find_stream_info(input_.get(), nullptr),
                 failure,
                 format("video {}: holds no readable stream", name_));
  }

  void open_decoder() {
    const AVCodec* codec = nullptr;
    stream_ = ffmpeg_check(av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0),
                           ErrorCode::kUnsupported,
                           format("video {}: holds no video stream that can be decoded", name_));
    const AVStream& stream = *input_->streams[stream_];
    decoder_.reset(avcodec_alloc_context3(codec));
    ffmpeg_check(avcodec_parameters_to_context(decoder_.get(), stream.codecpar),
                 ErrorCode::kDataCorrupt,
                 format("video {}", name_));
    VOXLOOM_CHECK(decoder_->width > 0 && decoder_->height > 0 && decoder_->width <= kLargestSide &&
                      decoder_->height <= kLargestSide,
                  ErrorCode::kUnsupported,
                  "video {}: must have 1 to {} px a side, got {} x {}",
                  name_,
                  kLargestSide,
                  decoder_->width,
                  decoder_->height);
    decoder_->thread_count = thread_budget();
    // Threads over frames would hold frames back: a live stream decodes slices in parallel.
    if (kind_ != StreamKind::kFile) decoder_->thread_type = FF_THREAD_SLICE;
    ffmpeg_check(avcodec_open2(decoder_.get(), codec, nullptr),
                 ErrorCode::kUnsupported,
                 format("video {}: codec {}", name_, codec->name));
    const double rate = av_q2d(stream.avg_frame_rate);
    info_.width = decoder_->width;
    info_.height = decoder_->height;
    info_.frames_per_s = std::isfinite(rate) && rate > 0.0 ? rate : 0.0;
    info_.frames = stream.nb_frames;
    info_.live = kind_ != StreamKind::kFile;
    info_.codec = codec->name;
  }

  int send_packet() {
    while (true) {
      const int read = av_read_frame(input_.get(), packet_.get());
      if (read == AVERROR_EOF) {
        return avcodec_send_packet(decoder_.get(), nullptr);  // Flush what is held back.
      }
      if (read < 0) return read;
      const bool ours = packet_->stream_index == stream_;
      const int sent = ours ? avcodec_send_packet(decoder_.get(), packet_.get()) : 0;
      av_packet_unref(packet_.get());
      if (ours) return sent;
    }
  }

  [[noreturn]] void damaged(int code) const {
    if (kind_ != StreamKind::kFile) {
      throw Error(ErrorCode::kUnavailable,
                  format("video {}: the stream stopped after {} frames: {}",
                         name_,
                         number_,
                         code == AVERROR_EXIT ? "no frame in time" : ffmpeg_words(code)));
    }
    throw Error(
        ErrorCode::kDataCorrupt,
        format("video {}: frame {} can't be decoded: {}", name_, number_, ffmpeg_words(code)));
  }

  /// A file that says how many frames it has and gives fewer was cut off.
  std::optional<image::Frame> end_of_stream() const {
    VOXLOOM_CHECK(kind_ == StreamKind::kFile,
                  ErrorCode::kUnavailable,
                  "video {}: the stream stopped after {} frames",
                  name_,
                  number_);
    VOXLOOM_CHECK(info_.frames <= 0 || number_ >= info_.frames,
                  ErrorCode::kDataCorrupt,
                  "video {}: must have {} frames, ends after {}",
                  name_,
                  info_.frames,
                  number_);
    return std::nullopt;
  }

  image::Frame grey_frame() {
    const AVFrame& decoded = *frame_;
    scaler_.reset(sws_getCachedContext(scaler_.release(),
                                       decoded.width,
                                       decoded.height,
                                       static_cast<AVPixelFormat>(decoded.format),
                                       static_cast<int>(info_.width),
                                       static_cast<int>(info_.height),
                                       AV_PIX_FMT_GRAY8,
                                       SWS_BILINEAR | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND,
                                       nullptr,
                                       nullptr,
                                       nullptr));
    VOXLOOM_CHECK(scaler_ != nullptr,
                  ErrorCode::kUnsupported,
                  "video {}: its pixel format can't be turned into grey",
                  name_);
    // Video keeps black at 16 and white at 235 unless it says otherwise; grey is 0 to 255.
    const bool full = decoded.color_range == AVCOL_RANGE_JPEG;
    const int* table = sws_getCoefficients(SWS_CS_DEFAULT);
    sws_setColorspaceDetails(scaler_.get(), table, full, table, 1, 0, 1 << 16, 1 << 16);
    grey_.resize(static_cast<size_t>(info_.width * info_.height));
    uint8_t* planes[1] = {grey_.data()};
    const int strides[1] = {static_cast<int>(info_.width)};
    sws_scale(scaler_.get(), decoded.data, decoded.linesize, 0, decoded.height, planes, strides);

    image::Frame frame{.width = info_.width,
                       .height = info_.height,
                       .number = number_,
                       .time_s = time_of(decoded),
                       .pixel_mm = info_.pixel_mm};
    frame.pixels.resize(grey_.size());
    for (size_t i = 0; i < grey_.size(); ++i) {
      frame.pixels[i] = static_cast<float>(grey_[i]) / 255.0F;
    }
    ++number_;
    av_frame_unref(frame_.get());
    return frame;
  }

  double time_of(const AVFrame& decoded) {
    const int64_t stamp = decoded.best_effort_timestamp;
    if (stamp == AV_NOPTS_VALUE) {
      return static_cast<double>(number_) / (info_.frames_per_s > 0.0 ? info_.frames_per_s : 15.0);
    }
    const double time = static_cast<double>(stamp) * av_q2d(input_->streams[stream_]->time_base);
    if (number_ == 0) first_time_s_ = time;
    return time - first_time_s_;
  }

  StreamKind kind_;
  std::string name_;
  Deadline deadline_;
  std::unique_ptr<AVFormatContext, FormatDelete> input_;
  CodecPtr decoder_;
  PacketPtr packet_;
  FramePtr frame_;
  ScalerPtr scaler_;
  VideoInfo info_;
  std::vector<uint8_t> grey_;
  int stream_ = 0;
  int64_t number_ = 0;
  double first_time_s_ = 0.0;
};

}  // namespace

std::unique_ptr<VideoReader> open_ffmpeg(const std::string& source,
                                         StreamKind kind,
                                         const OpenOptions& options) {
  return std::make_unique<FfmpegReader>(source, kind, options);
}

}  // namespace voxloom::video
