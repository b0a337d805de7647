// A folder of pictures as a stream.
#include <algorithm>
#include <filesystem>

#include "voxloom/core/error.h"
#include "voxloom/io/raster.h"
#include "voxloom/video/picture.h"
#include "voxloom/video/readers.h"

namespace voxloom::video {
namespace {

namespace fs = std::filesystem;

constexpr double kFramesPerSecond = 15.0;

class PictureReader final : public VideoReader {
 public:
  PictureReader(const std::string& folder, const OpenOptions& options) {
    files_ = list_pictures(folder);
    VOXLOOM_CHECK(!files_.empty(),
                  ErrorCode::kNotFound,
                  "video '{}': the folder holds no PNG or JPEG files",
                  folder);
    const auto first = picture_frame(io::read_raster(files_.front()));
    info_ = {.width = first.width,
             .height = first.height,
             .frames_per_s = kFramesPerSecond,
             .frames = static_cast<int64_t>(files_.size()),
             .pixel_mm = options.pixel_mm,
             .codec = "pictures"};
  }

  const VideoInfo& info() const override { return info_; }

  std::optional<image::Frame> next() override {
    if (number_ == files_.size()) return std::nullopt;
    const auto& file = files_[number_];
    auto frame = picture_frame(io::read_raster(file));
    VOXLOOM_CHECK(frame.width == info_.width && frame.height == info_.height,
                  ErrorCode::kDataCorrupt,
                  "video frame '{}': must be {} x {} px like the first, got {} x {}",
                  file.filename().string(),
                  info_.width,
                  info_.height,
                  frame.width,
                  frame.height);
    frame.number = static_cast<int64_t>(number_);
    frame.time_s = static_cast<double>(number_) / kFramesPerSecond;
    frame.pixel_mm = info_.pixel_mm;
    ++number_;
    return frame;
  }

 private:
  std::vector<fs::path> files_;
  VideoInfo info_;
  size_t number_ = 0;
};

}  // namespace

bool is_picture(const fs::path& path) {
  auto suffix = path.extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return suffix == ".png" || suffix == ".jpg" || suffix == ".jpeg";
}

std::vector<fs::path> list_pictures(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && is_picture(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

image::Frame picture_frame(const io::Raster& raster) {
  const auto grey = raster.channels == 1 ? raster : io::to_grey(raster);
  image::Frame frame{.width = grey.width, .height = grey.height};
  frame.pixels.resize(static_cast<size_t>(grey.width * grey.height));
  const auto* bytes = reinterpret_cast<const uint8_t*>(grey.pixels.data());
  if (grey.type == image::PixelType::kUint8) {
    for (size_t i = 0; i < frame.pixels.size(); ++i) {
      frame.pixels[i] = static_cast<float>(bytes[i]) / 255.0F;
    }
  } else {
    const auto* words = reinterpret_cast<const uint16_t*>(grey.pixels.data());
    for (size_t i = 0; i < frame.pixels.size(); ++i) {
      frame.pixels[i] = static_cast<float>(words[i]) / 65535.0F;
    }
  }
  return frame;
}

std::unique_ptr<VideoReader> open_picture_folder(const std::string& path,
                                                 const OpenOptions& options) {
  return std::make_unique<PictureReader>(path, options);
}

}  // namespace voxloom::video
