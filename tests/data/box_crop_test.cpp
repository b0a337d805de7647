#include "voxloom/data/box_crop.h"

#include <gtest/gtest.h>

#include "voxloom/data/batch_maker.h"

#include "data_fixtures.h"

namespace voxloom::data {
namespace {

using testing::line_samples;
using testing::TempFolder;

/// A vertical line at x = 100, 60 px long, in a grey image of 200 x 160.
struct Picture {
  std::vector<uint8_t> image = std::vector<uint8_t>(200 * 160, 128);
  std::vector<uint8_t> mask = std::vector<uint8_t>(200 * 160, 0);
  Picture() {
    for (size_t y = 50; y < 110; ++y) {
      image[y * 200 + 100] = 20;
      mask[y * 200 + 100] = 1;
    }
  }
  [[nodiscard]] SourceView view() const { return {200, 160, image, mask, 0.5F}; }
};

BoxCrops wires() {
  BoxCrops how{.on = true};
  how.is_object[1] = true;
  return how;
}

TEST(BoxCropTest, TheCropHoldsTheObjectAtTheScaleOfItsBox) {
  const Picture picture;
  Rng rng(3);
  for (int draw = 0; draw < 20; ++draw) {
    const auto region = choose_box_region(picture.view(), 64, true, wires(), rng);
    const auto resized = resize_region(picture.view(), region);
    ASSERT_EQ(resized.image.size(), resized.mask.size());
    int64_t object = 0, rows = 0;
    for (int64_t y = 0; y < region.side; ++y) {
      int64_t in_row = 0;
      for (int64_t x = 0; x < region.side; ++x) {
        const int64_t px = region.x + x, py = region.y + y;
        if (px < 0 || py < 0 || px >= resized.width || py >= resized.height) continue;
        in_row += resized.mask[static_cast<size_t>(py * resized.width + px)] == 1;
      }
      object += in_row;
      rows += in_row > 0;
    }
    // The box is 76 px high, widened to 96 at least: its 60 px line takes 25 to 42 rows of 64.
    EXPECT_GE(rows, 24) << draw;
    EXPECT_LE(rows, 44) << draw;
    EXPECT_LE(object, 2 * rows) << draw;
  }
}

TEST(BoxCropTest, ALineStaysDarkAndALine) {
  const Picture picture;
  const BoxRegion half{.source = {0, 0, 200, 160}, .width = 140, .height = 112, .side = 64};
  const auto resized = resize_region(picture.view(), half);
  for (int64_t y = 40; y < 70; ++y) {
    const auto* image = resized.image.data() + y * 140;
    const auto* mask = resized.mask.data() + y * 140;
    EXPECT_GE(std::count(mask, mask + 140, 1), 1) << y;
    EXPECT_LT(*std::min_element(image, image + 140), 90) << y;
    const auto darkest = std::min_element(image, image + 140) - image;
    EXPECT_LE(std::abs(std::find(mask, mask + 140, 1) - mask - darkest), 1) << y;
  }
}

TEST(BoxCropTest, WithoutAnObjectAnySquareWillDo) {
  Picture picture;
  std::fill(picture.mask.begin(), picture.mask.end(), uint8_t{0});
  Rng rng(4);
  for (int draw = 0; draw < 20; ++draw) {
    const auto region = choose_box_region(picture.view(), 64, true, wires(), rng);
    EXPECT_GE(region.source.x, 0);
    EXPECT_GE(region.source.y, 0);
    EXPECT_LE(region.source.x + region.source.width, 200);
    EXPECT_LE(region.source.y + region.source.height, 160);
  }
}

TEST(BoxCropTest, BatchesAreCropsOfOneSideAndRepeat) {
  const TempFolder folder;
  LoaderOptions options;
  options.crop = 32;
  options.seed = 5;
  options.augment.set = "fluoroscopy";
  options.boxes = wires();
  options.boxes.is_object.fill(true);
  options.boxes.is_object[0] = options.boxes.is_object[255] = false;
  const auto samples = line_samples(folder, 8, 64, 56);
  BatchMaker maker(samples, options), again(samples, options);
  const auto batch = maker.make(0, 1), same = again.make(0, 1);
  EXPECT_EQ(batch.width, 32);
  EXPECT_EQ(batch.height, 32);
  EXPECT_EQ(batch.image, same.image);
  EXPECT_EQ(batch.target, same.target);
}

std::vector<dataset::Sample> sequence(const std::string& name, std::vector<int64_t> frames) {
  std::vector<dataset::Sample> out;
  for (const int64_t frame : frames) {
    dataset::Sample sample;
    sample.sequence = name;
    sample.frame = frame;
    out.push_back(sample);
  }
  return out;
}

TEST(EarlierFramesTest, AreThoseOfTheSequenceAndRepeatAtItsStart) {
  auto samples = sequence("a", {0, 1, 2, 7});
  for (auto& sample : sequence("b", {1, 0})) samples.push_back(sample);
  const auto earlier = earlier_frames(samples, 2);
  EXPECT_EQ(earlier[0], (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(earlier[1], (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(earlier[2], (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(earlier[3], (std::vector<int64_t>{3, 3}));  // 6 and 5 are not there
  EXPECT_EQ(earlier[4], (std::vector<int64_t>{5, 5}));
  // Pictures without a sequence are no neighbours.
  EXPECT_EQ(earlier_frames(sequence("", {0, 1}), 1)[1], (std::vector<int64_t>{1}));
}

TEST(EarlierFramesTest, FramesOfABatchAreCutAlike) {
  const TempFolder folder;
  auto samples = line_samples(folder, 4, 64, 56);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].sequence = "run";
    samples[i].frame = static_cast<int64_t>(i);
    samples[i].image = samples[0].image;  // nothing moves
    samples[i].mask = samples[0].mask;
  }
  LoaderOptions options;
  options.crop = 32;
  options.frames = 3;
  options.batch_size = 4;
  options.augment.set = "none";
  BatchMaker maker(samples, options);
  const auto batch = maker.make(0, 0);
  EXPECT_EQ(batch.channels, 3);
  const size_t plane = 32 * 32;
  ASSERT_EQ(batch.image.size(), 4 * 3 * plane);
  for (size_t b = 0; b < 4; ++b) {
    for (size_t i = 0; i < plane; ++i) {
      ASSERT_EQ(batch.image[b * 3 * plane + i], batch.image[(b * 3 + 2) * plane + i]);
    }
  }
}

}  // namespace
}  // namespace voxloom::data
