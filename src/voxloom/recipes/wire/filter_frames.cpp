#include "voxloom/recipes/wire/filter_frames.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "voxloom/core/error.h"
#include "voxloom/dataset/prepare.h"
#include "voxloom/dataset/readers.h"
#include "voxloom/recipes/wire/samples.h"
#include "voxloom/video/open_video.h"

namespace voxloom::recipes::wire {
namespace {

namespace fs = std::filesystem;

/// Frames of a data set have no time stamps; fluoroscopy usually has 15 a second.
constexpr double kFramesPerSecond = 15.0;

class SampleFrames final : public FrameSource {
 public:
  explicit SampleFrames(std::vector<dataset::Sample> samples) : samples_(std::move(samples)) {
    std::stable_sort(samples_.begin(), samples_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.dataset, a.sequence, a.frame) < std::tie(b.dataset, b.sequence, b.frame);
    });
    classes_ = object_classes({}, samples_);
  }
  [[nodiscard]] int64_t count() const override { return static_cast<int64_t>(samples_.size()); }

  [[nodiscard]] std::optional<LabelledFrame> next() override {
    if (next_ == samples_.size()) return std::nullopt;
    const dataset::Sample& sample = samples_[next_];
    dataset::LabelledImage image = dataset::load_sample(sample);
    LabelledFrame out;
    out.sequence = sample.dataset + "/" + sample.sequence;
    out.frame = {.width = image.width,
                 .height = image.height,
                 .number = static_cast<int64_t>(next_),
                 .time_s = static_cast<double>(sample.frame) / kFramesPerSecond,
                 .pixel_mm = sample.pixel_mm,
                 .pixels = std::move(image.image)};
    if (sample.bright_object) {
      for (float& v : out.frame.pixels) v = 1.0F - v;
    }
    for (const uint8_t id : image.mask) {
      const bool object = classes_(id);
      out.object.push_back(object ? 1 : 0);
      out.exclude.push_back(!object && id != 0 ? 1 : 0);
    }
    ++next_;
    return out;
  }

 private:
  std::vector<dataset::Sample> samples_;
  ObjectClasses classes_;
  size_t next_ = 0;
};

class VideoFrames final : public FrameSource {
 public:
  explicit VideoFrames(const std::string& path) : reader_(video::open_video(path)) {}
  [[nodiscard]] int64_t count() const override { return reader_->info().frames; }
  [[nodiscard]] std::optional<LabelledFrame> next() override {
    auto frame = reader_->next();
    if (!frame) return std::nullopt;
    return LabelledFrame{.frame = std::move(*frame), .sequence = "video"};
  }

 private:
  std::unique_ptr<video::VideoReader> reader_;
};

std::unique_ptr<FrameSource> open_video_frames(const std::string& data) {
  refuse_sealed_source(data);
  return std::make_unique<VideoFrames>(data);
}

/// The reader that recognises a folder, if any does.
const dataset::DatasetReader* reader_of(const fs::path& folder) {
  for (const auto& reader : dataset::dataset_readers()) {
    if (reader.recognises(folder)) return &reader;
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<FrameSource> open_frames(const std::string& data,
                                         Progress& progress,
                                         const CancelToken& stop) {
  std::vector<dataset::Sample> samples;
  if (fs::path(data).extension() == ".jsonl") {
    samples = read_samples({data}).samples;
  } else if (fs::is_directory(data)) {
    const auto* reader = reader_of(data);
    // A folder of pictures alone is a video.
    if (reader == nullptr) return open_video_frames(data);
    auto listing = reader->list(data);
    refuse_sealed(listing.samples);  // Before any is opened, and again when their hashes are known.
    samples = dataset::prepare(std::move(listing), progress, stop).samples;
  } else {
    return open_video_frames(data);
  }
  refuse_sealed(samples);
  keep_for_statistics(samples, data);
  return std::make_unique<SampleFrames>(std::move(samples));
}

}  // namespace voxloom::recipes::wire
