#include "voxloom/infer/wire_label.h"

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/image/rle.h"
#include "voxloom/io/raster.h"

namespace voxloom::infer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

class Folder {
 public:
  Folder() {
    static std::atomic<int> counter{0};
    path = std::filesystem::temp_directory_path() /
           ("voxloom-label-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
    std::filesystem::create_directories(path);
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path path;
};

constexpr int64_t kWidth = 300, kHeight = 240;

/// A dark bar of 5 pixels from (60, 120) to (240, 120) on a bright ground.
std::filesystem::path write_picture(const Folder& folder) {
  io::Raster raster{.width = kWidth, .height = kHeight};
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      const bool bar = std::abs(y - 120) <= 2 && x >= 60 && x <= 240;
      raster.pixels.push_back(static_cast<std::byte>((bar ? 40 : 180) + (x * 7 + y * 13) % 9));
    }
  }
  const auto path = folder.path / "frame.png";
  io::write_png(raster, path, Overwrite::kRefuse);
  return path;
}

TEST(WireLabelPromptTest, ClicksAndBoxesAreStrict) {
  EXPECT_EQ(parse_click("12,34"), (SliceClick{12, 34, true}));
  EXPECT_EQ(parse_click("12,34,-"), (SliceClick{12, 34, false}));
  EXPECT_EQ(parse_click("0,7,+"), (SliceClick{0, 7, true}));
  for (const char* bad : {"", "12", "12,34,5", "12, 34", "1.5,2", "12,34,*", "-", ",+", "1,,+"}) {
    EXPECT_THAT([&] { (void)parse_click(bad); },
                ThrowsMessage<Error>(HasSubstr("--click: must be")))
        << bad;
  }
  EXPECT_EQ(parse_picture_box("30,40,10,20"), (Rect{10, 20, 30, 40}));
  EXPECT_THAT([] { (void)parse_picture_box("1,2,3"); },
              ThrowsMessage<Error>(HasSubstr("--box: must be x0,y0,x1,y1")));
  EXPECT_EQ(parse_crop("auto"), 0);
  EXPECT_EQ(parse_crop("none"), std::nullopt);
  EXPECT_EQ(parse_crop("160"), 160);
  for (const char* bad : {"15", "full", "70000", "1e3", ""}) {
    EXPECT_THROW((void)parse_crop(bad), Error) << bad;
  }
}

TEST(WireLabelCropTest, SquareAroundThePromptsInsideThePicture) {
  const auto none = std::nullopt;
  EXPECT_EQ(label_crop({{150, 120, true}}, none, 512, 512, 0), (Rect{86, 56, 213, 183}));
  // At a corner it moves inside and keeps its size.
  EXPECT_EQ(label_crop({{2, 510, true}}, none, 512, 512, 0), (Rect{0, 384, 127, 511}));
  // 101 pixels across: 32 more on each side; negative clicks don't count.
  const auto wide =
      label_crop({{100, 200, true}, {200, 210, true}, {5, 5, false}}, none, 512, 512, 0);
  EXPECT_EQ(wide.width(), 165);
  EXPECT_EQ(wide.height(), 165);
  EXPECT_TRUE(wide.contains(100, 200) && wide.contains(200, 210));
  EXPECT_EQ(label_crop({}, Rect{100, 100, 139, 119}, 512, 512, 64).width(), 64);
  EXPECT_EQ(label_crop({}, Rect{100, 100, 199, 119}, 512, 512, 64).width(), 100);
  // Cut where the picture is smaller.
  EXPECT_EQ(label_crop({{10, 10, true}}, none, 90, 60, 0), (Rect{0, 0, 89, 59}));
  EXPECT_THAT(
      [&] {
        (void)label_crop({{1, 1, false}}, none, 9, 9, 0);
      },
      ThrowsMessage<Error>(HasSubstr("a positive click or a box")));
}

TEST(WireLabelTest, WritesMaskOverlayAndJsonInPicturePixels) {
  const Folder folder;
  WireLabelOptions options;
  options.image = write_picture(folder).string();
  options.model = "geodesic";
  options.output = (folder.path / "out").string();
  options.clicks = {"150,120", "140,100,-", "5,5,-"};
  Progress progress;
  const auto json = label_wire(options, progress, {});
  EXPECT_EQ(json["crop"].dump(), "[86,56,128,128]");
  EXPECT_EQ(json["size"].dump(), "[300,240]");
  EXPECT_EQ(json["clicks"].size(), 3U);
  EXPECT_THAT(json["notes"].dump(), HasSubstr("1 negative clicks outside the crop"));
  const auto mask = io::read_raster(folder.path / "out" / "mask.png");
  ASSERT_EQ(mask.width, kWidth);
  ASSERT_EQ(mask.height, kHeight);
  const auto rle = image::rle_from_string(
      json["rle"]["counts"].get<std::string>(), json["rle"]["size"][0], json["rle"]["size"][1]);
  const auto pixels = image::decode_rle(rle);
  EXPECT_EQ(json["area"].get<int64_t>(), image::rle_area(rle));
  int64_t inside = 0;
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      const auto i = static_cast<size_t>(y * kWidth + x);
      ASSERT_EQ(mask.pixels[i] != std::byte{0}, pixels[i] != 0) << x << "," << y;
      if (pixels[i] == 0) continue;
      EXPECT_TRUE(x >= 86 && x <= 213) << x;
      inside += std::abs(y - 120) <= 2 ? 1 : 0;
    }
  }
  EXPECT_NE(pixels[120 * kWidth + 150], 0);
  EXPECT_GT(inside, 300);  // of 640 pixels of the bar within the crop
  const auto overlay = io::read_raster(folder.path / "out" / "overlay.png");
  EXPECT_EQ(overlay.channels, 3);
  EXPECT_EQ(overlay.width, kWidth);
  std::ifstream written(folder.path / "out" / "label.json");
  EXPECT_EQ(nlohmann::ordered_json::parse(written), json);
  EXPECT_THAT([&] { (void)label_wire(options, progress, {}); },
              ThrowsMessage<Error>(HasSubstr("--force")));
}

TEST(WireLabelTest, WholePictureAndBox) {
  const Folder folder;
  WireLabelOptions options;
  options.image = write_picture(folder).string();
  options.model = "geodesic";
  options.output = (folder.path / "out").string();
  options.box = "50,110,250,130";
  options.crop = "none";
  Progress progress;
  const auto json = label_wire(options, progress, {});
  EXPECT_EQ(json["crop"].dump(), "[0,0,300,240]");
  EXPECT_EQ(json["box"].dump(), "[50,110,201,21]");
  EXPECT_GT(json["area"].get<int64_t>(), 0);
}

TEST(WireLabelTest, WrongInputIsExplained) {
  const Folder folder;
  WireLabelOptions options;
  options.image = write_picture(folder).string();
  options.model = "geodesic";
  options.output = (folder.path / "out").string();
  Progress progress;
  const auto run = [&] { (void)label_wire(options, progress, {}); };
  EXPECT_THAT(run, ThrowsMessage<Error>(HasSubstr("no prompt: give --click")));
  options.clicks = {"3,4,-"};
  EXPECT_THAT(run, ThrowsMessage<Error>(HasSubstr("got 1 negative clicks")));
  options.clicks = {"300,4"};
  EXPECT_THAT(run,
              ThrowsMessage<Error>(HasSubstr("inside the picture of 300 x 240 pixels, got 300,4")));
  options.clicks = {"150,120"};
  options.box = "0,0,10,240";
  EXPECT_THAT(run, ThrowsMessage<Error>(HasSubstr("--box: must lie inside")));
  options.box.clear();
  options.frame = 1;
  EXPECT_THAT(run, ThrowsMessage<Error>(HasSubstr("--frame: must be one of the 1")));
  options.frame = 0;
  options.model = "absent-package";
  EXPECT_THROW(run(), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.path / "out" / "mask.png"));
}

}  // namespace
}  // namespace voxloom::infer
