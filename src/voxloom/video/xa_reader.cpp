// A multi-frame X-ray object as a stream, shown as its window says.
#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/image/volume.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/io/dicom_xa.h"
#include "voxloom/video/readers.h"

namespace voxloom::video {
namespace {

/// Lowest and highest value of a frame without the outermost 0.5 % at either side: what is shown
/// where the object names no window.
std::array<double, 2> range_of(const std::vector<float>& values) {
  auto sorted = values;
  const auto at = [&](double share) {
    const auto k = static_cast<int64_t>(share * static_cast<double>(sorted.size() - 1));
    std::nth_element(sorted.begin(), sorted.begin() + k, sorted.end());
    return static_cast<double>(sorted[static_cast<size_t>(k)]);
  };
  const double lo = at(0.005), hi = at(0.995);
  return {lo, hi > lo ? hi : lo + 1.0};
}

class XaReader final : public VideoReader {
 public:
  XaReader(const std::string& path, const OpenOptions& options)
      : header_(io::read_xa_info(path)), source_(io::open_dicom_series(path)) {
    const auto& size = source_->geometry().size;
    header_.frame_times_s.resize(
        static_cast<size_t>(size[2]),
        header_.frame_times_s.empty() ? 0.0 : header_.frame_times_s.back());
    const double last = header_.frame_times_s.back();
    info_ = {.width = size[0],
             .height = size[1],
             .frames_per_s = last > 0.0 ? static_cast<double>(size[2] - 1) / last : 0.0,
             .frames = size[2],
             .pixel_mm = header_.pixel_mm > 0.0 ? header_.pixel_mm : options.pixel_mm,
             .codec = "dicom"};
  }

  const VideoInfo& info() const override { return info_; }

  std::optional<image::Frame> next() override {
    if (number_ == info_.frames) return std::nullopt;
    const auto slab =
        source_->read_slab(number_, number_ + 1).converted(image::PixelType::kFloat32);
    const auto values = slab.as<float>();
    image::Frame frame{.width = info_.width,
                       .height = info_.height,
                       .number = number_,
                       .time_s = header_.frame_times_s[static_cast<size_t>(number_)],
                       .pixel_mm = info_.pixel_mm,
                       .pixels = {values.begin(), values.end()}};
    // One window for the whole run: a new one a frame would flicker.
    if (!header_.window) header_.window = range_of(frame.pixels);
    const auto lo = static_cast<float>((*header_.window)[0]);
    const auto scale = static_cast<float>(1.0 / ((*header_.window)[1] - (*header_.window)[0]));
    for (float& v : frame.pixels) {
      const float shown = std::clamp((v - lo) * scale, 0.0F, 1.0F);
      v = header_.inverted ? 1.0F - shown : shown;
    }
    ++number_;
    return frame;
  }

 private:
  io::XaInfo header_;
  std::unique_ptr<image::VolumeSource> source_;
  VideoInfo info_;
  int64_t number_ = 0;
};

}  // namespace

std::unique_ptr<VideoReader> open_xa(const std::string& path, const OpenOptions& options) {
  return std::make_unique<XaReader>(path, options);
}

}  // namespace voxloom::video
