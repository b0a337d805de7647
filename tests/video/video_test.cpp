// Streams of frames: what is written is read back, what is cut off or odd is said.
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/io/raster.h"
#include "voxloom/video/open_video.h"
#include "voxloom/video/readers.h"
#include "voxloom/video/video_writer.h"

namespace voxloom::video {
namespace {

namespace fs = std::filesystem;

ssize_t write_all(int fd, const std::vector<uint16_t>& words) {
  return ::write(fd, words.data(), words.size() * sizeof(uint16_t));
}

class VideoTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / (std::string("voxloom-video-") + test->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static constexpr int64_t kWidth = 96, kHeight = 64;

  /// A grey ramp with a dark bar at column 8 + 4 n.
  static std::vector<uint8_t> picture(int64_t number) {
    std::vector<uint8_t> rgb(kWidth * kHeight * 3);
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        const bool bar = x >= 8 + 4 * number && x < 12 + 4 * number;
        const auto v = static_cast<uint8_t>(bar ? 20 : 80 + x);
        for (int64_t c = 0; c < 3; ++c) rgb[static_cast<size_t>((y * kWidth + x) * 3 + c)] = v;
      }
    }
    return rgb;
  }

  fs::path write(int64_t frames, double rate = 7.5) {
    const auto path = folder_ / "clip.mp4";
    VideoWriter writer(path,
                       {.width = kWidth, .height = kHeight, .frames_per_s = rate, .quality = 5},
                       Overwrite::kReplace);
    for (int64_t i = 0; i < frames; ++i) writer.write(picture(i));
    writer.finish();
    return path;
  }

  fs::path folder_;
};

std::string message_of(const std::function<void()>& call, ErrorCode code) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

#if VOXLOOM_HAS_VIDEO
TEST_F(VideoTest, WhatIsWrittenIsReadBackWithItsTimes) {
  const auto reader = open_video(write(10).string());
  EXPECT_EQ(reader->info().width, kWidth);
  EXPECT_EQ(reader->info().height, kHeight);
  EXPECT_EQ(reader->info().frames, 10);
  EXPECT_NEAR(reader->info().frames_per_s, 7.5, 1e-6);
  EXPECT_FALSE(reader->info().live);
  for (int64_t i = 0; i < 10; ++i) {
    const auto frame = reader->next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->number, i);
    EXPECT_NEAR(frame->time_s, static_cast<double>(i) / 7.5, 1e-3);
    const auto truth = picture(i);
    double error = 0.0;
    for (size_t k = 0; k < frame->pixels.size(); ++k) {
      error += std::abs(frame->pixels[k] * 255.0 - truth[3 * k]);
    }
    // Lossy, but the bar is where it was and black and white are not squeezed.
    EXPECT_LT(error / static_cast<double>(frame->pixels.size()), 3.0);
    const auto bar = static_cast<size_t>(kHeight / 2 * kWidth + 10 + 4 * i);
    EXPECT_LT(frame->pixels[bar], 0.2F);
  }
  EXPECT_FALSE(reader->next());
}

TEST_F(VideoTest, ACutFileSaysAtWhichFrame) {
  const auto path = write(20);
  auto bytes = read_text_file(path);
  std::ofstream(path, std::ios::binary) << bytes.substr(0, bytes.size() * 2 / 3);
  const auto said = message_of(
      [&] {
        const auto reader = open_video(path.string());
        while (reader->next()) {
        }
      },
      ErrorCode::kDataCorrupt);
  EXPECT_THAT(said, testing::HasSubstr("clip.mp4"));
}

TEST_F(VideoTest, WhatIsNoVideoIsRefused) {
  std::ofstream(folder_ / "notes.mp4") << "no video at all";
  EXPECT_THAT(message_of([&] { static_cast<void>(open_video((folder_ / "notes.mp4").string())); },
                         ErrorCode::kDataCorrupt),
              testing::HasSubstr("can't be opened"));
}

TEST_F(VideoTest, APlaylistIsNotFollowedToOtherFiles) {
  const auto clip = write(2);
  std::ofstream(folder_ / "list.m3u8") << "#EXTM3U\n#EXTINF:1,\nhttp://localhost:9/x.ts\n";
  EXPECT_THROW(
      {
        const auto reader = open_video((folder_ / "list.m3u8").string());
        while (reader->next()) {
        }
      },
      Error);
}

TEST_F(VideoTest, AWriterLeavesNothingWithoutFinishAndRefusesWrongFrames) {
  const auto path = folder_ / "gone.mp4";
  {
    VideoWriter writer(path, {.width = kWidth, .height = kHeight}, Overwrite::kRefuse);
    writer.write(picture(0));
    EXPECT_THROW(writer.write(std::vector<uint8_t>(12)), Error);
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_THROW(VideoWriter(path, {.width = 1, .height = 9}, Overwrite::kRefuse), Error);
  write(1);
  EXPECT_THROW(VideoWriter(folder_ / "clip.mp4", {.width = 8, .height = 8}, Overwrite::kRefuse),
               Error);
}
#endif

TEST_F(VideoTest, AFolderOfPicturesIsAStream) {
  for (int i = 0; i < 3; ++i) {
    io::Raster raster{.width = 5, .height = 4};
    raster.pixels.assign(20, std::byte{static_cast<uint8_t>(51 * i)});
    io::write_png(raster, folder_ / (std::to_string(i) + ".png"), Overwrite::kRefuse);
  }
  const auto reader = open_video(folder_.string(), {.pixel_mm = 0.3});
  EXPECT_EQ(reader->info().frames, 3);
  for (int i = 0; i < 3; ++i) {
    const auto frame = reader->next();
    ASSERT_TRUE(frame);
    EXPECT_THAT(frame->pixels,
                testing::Each(testing::FloatNear(0.2F * static_cast<float>(i), 1e-6F)));
    EXPECT_EQ(frame->pixel_mm, 0.3);
  }
  EXPECT_FALSE(reader->next());
}

TEST_F(VideoTest, PicturesOfAnotherSizeAreSaid) {
  for (int i = 0; i < 2; ++i) {
    io::Raster raster{.width = 5 + i, .height = 4};
    raster.pixels.assign(static_cast<size_t>(raster.width * 4), std::byte{9});
    io::write_png(raster, folder_ / (std::to_string(i) + ".png"), Overwrite::kRefuse);
  }
  const auto reader = open_video(folder_.string());
  static_cast<void>(reader->next());
  EXPECT_THAT(message_of([&] { static_cast<void>(reader->next()); }, ErrorCode::kDataCorrupt),
              testing::HasSubstr("1.png"));
}

TEST_F(VideoTest, RawFramesOf16BitsComeThroughAPipe) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::vector<uint16_t> words{0, 65535, 13107, 0, 0, 0};
  ASSERT_EQ(write_all(ends[1], words), static_cast<ssize_t>(words.size() * 2));
  close(ends[1]);
  const auto reader = open_raw_frames(
      ends[0], "pipe", {.raw = {.width = 3, .height = 1, .bits = 16, .frames_per_s = 10.0}});
  const auto first = reader->next();
  ASSERT_TRUE(first);
  EXPECT_THAT(first->pixels, testing::ElementsAre(0.0F, 1.0F, testing::FloatNear(0.2F, 1e-5F)));
  EXPECT_NEAR(reader->next()->time_s, 0.1, 1e-12);
  EXPECT_FALSE(reader->next());
  close(ends[0]);
}

/// Stands for a camera: a frame every few milliseconds, then an end.
class Camera final : public VideoReader {
 public:
  const VideoInfo& info() const override { return info_; }
  std::optional<image::Frame> next() override {
    if (number_ == 30) throw Error(ErrorCode::kUnavailable, "camera: unplugged");
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return image::Frame{.width = 1, .height = 1, .number = number_++, .pixels = {0.0F}};
  }

 private:
  VideoInfo info_{.width = 1, .height = 1, .live = true};
  int64_t number_ = 0;
};

TEST_F(VideoTest, ASlowConsumerGetsTheNewestFrameAndThenTheFailure) {
  const auto reader = newest_frame_only(std::make_unique<Camera>());
  const auto first = reader->next();
  ASSERT_TRUE(first);
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  const auto second = reader->next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->number, 29);  // What came between was dropped.
  EXPECT_THAT(message_of([&] { static_cast<void>(reader->next()); }, ErrorCode::kUnavailable),
              testing::HasSubstr("unplugged"));
}

}  // namespace
}  // namespace voxloom::video
