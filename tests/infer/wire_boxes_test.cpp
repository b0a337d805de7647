#include "voxloom/infer/wire_boxes.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"
#include "voxloom/infer/wire_box_tracker.h"
#include "voxloom/infer/wire_crops.h"

namespace voxloom::infer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

float logit(double p) {
  return static_cast<float>(std::log(p / (1.0 - p)));
}

/// A level of 4 x 3 cells without objects.
struct Level {
  int64_t classes;
  std::vector<float> values;

  explicit Level(int64_t n) : classes(n), values(static_cast<size_t>(3 * (5 + n) * 12), -20.0F) {}
  float& at(int64_t anchor, int64_t output, int64_t y, int64_t x) {
    return values[static_cast<size_t>(((anchor * (5 + classes) + output) * 3 + y) * 4 + x)];
  }
  [[nodiscard]] DetectorGrid grid() const {
    return {.stride = 16,
            .anchors = {{{30, 61}, {62, 45}, {59, 119}}},
            .height = 3,
            .width = 4,
            .values = values};
  }
};

TEST(DecodeBoxesTest, FollowsTheFormula) {
  Level level(2);
  level.at(1, 0, 2, 3) = logit(0.75);  // x: 1.5 - 0.5 + 3 = 4 cells
  level.at(1, 1, 2, 3) = logit(0.5);   // y: 1 - 0.5 + 2 = 2.5 cells
  level.at(1, 2, 2, 3) = logit(0.5);   // width: once the anchor's
  level.at(1, 3, 2, 3) = logit(0.25);  // height: a quarter of it
  level.at(1, 4, 2, 3) = logit(0.8);
  level.at(1, 5, 2, 3) = logit(0.1);
  level.at(1, 6, 2, 3) = logit(0.5);
  const DetectorGrid grid = level.grid();
  const auto boxes = decode_boxes({&grid, 1}, 2, 0.1);
  ASSERT_EQ(boxes.size(), 1U);
  EXPECT_NEAR(boxes[0].x0, 64.0 - 31.0, 1e-4);
  EXPECT_NEAR(boxes[0].x1, 64.0 + 31.0, 1e-4);
  EXPECT_NEAR(boxes[0].y0, 40.0 - 45.0 / 8.0, 1e-4);
  EXPECT_NEAR(boxes[0].y1, 40.0 + 45.0 / 8.0, 1e-4);
  EXPECT_NEAR(boxes[0].confidence, 0.4, 1e-6);
  EXPECT_EQ(boxes[0].label, 1);
  EXPECT_TRUE(decode_boxes({&grid, 1}, 2, 0.41).empty());
}

TEST(DecodeBoxesTest, NumbersThatAreNoneAreNoBoxes) {
  Level level(1);
  for (int64_t output = 0; output < 6; ++output) level.at(0, output, 0, 0) = NAN;
  for (int64_t output = 0; output < 6; ++output) level.at(0, output, 1, 1) = 5.0F;
  level.at(0, 2, 1, 1) = NAN;
  const DetectorGrid grid = level.grid();
  EXPECT_TRUE(decode_boxes({&grid, 1}, 1, 0.1).empty());
}

TEST(DecodeBoxesTest, RefusesMapsOfAnotherSize) {
  const Level level(2);
  const DetectorGrid grid = level.grid();
  EXPECT_THAT(
      [&] {
        (void)decode_boxes({&grid, 1}, 1, 0.1);
      },
      ThrowsMessage<Error>(HasSubstr("must have 216 values, got 252")));
  EXPECT_THAT(
      [&] {
        (void)decode_boxes({&grid, 1}, 2, 0.0);
      },
      ThrowsMessage<Error>(HasSubstr("within (0, 1), got 2 and 0")));
}

TEST(SuppressTest, TheSurestOfAClassStays) {
  const std::vector<WireBox> boxes{{0, 0, 10, 10, 0.5, 0},
                                   {1, 0, 11, 10, 0.9, 0},
                                   {1, 0, 11, 10, 0.4, 1},
                                   {30, 30, 40, 40, 0.2, 0}};
  const auto kept = suppress(boxes);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].confidence, 0.9);
  EXPECT_EQ(kept[1].label, 1);
  EXPECT_EQ(kept[2].x0, 30.0);
  EXPECT_EQ(suppress(boxes, {.iou = 1.0}).size(), 4U);
  EXPECT_EQ(suppress(boxes, {.max_boxes = 1}).size(), 1U);
}

// By definition: no two kept boxes of a class overlap more, and each dropped one a surer kept one.
TEST(SuppressTest, KeepsExactlyWhatNothingSurerHides) {
  Rng rng(3);
  std::vector<WireBox> boxes;
  for (int i = 0; i < 200; ++i) {
    const double x = rng.uniform(0, 80), y = rng.uniform(0, 80);
    boxes.push_back({x, y, x + rng.uniform(5, 40), y + rng.uniform(5, 40), rng.uniform(), i % 2});
  }
  const auto kept = suppress(boxes);
  for (size_t i = 0; i < kept.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (kept[i].label == kept[j].label) EXPECT_LE(box_iou(kept[i], kept[j]), 0.45);
    }
  }
  size_t hidden = 0;
  for (const auto& box : boxes) {
    hidden += std::any_of(kept.begin(), kept.end(), [&](const WireBox& k) {
      return k.label == box.label && k.confidence > box.confidence && box_iou(k, box) > 0.45;
    });
  }
  EXPECT_EQ(kept.size() + hidden, boxes.size());
}

struct Mask {
  int64_t width = 128, height = 100;
  std::vector<uint8_t> pixels = std::vector<uint8_t>(128 * 100);
  void row(int64_t y, int64_t from, int64_t to) {
    for (int64_t x = from; x < to; ++x) pixels[static_cast<size_t>(y * width + x)] = 1;
  }
};

TEST(BoxesOfMaskTest, AWireWithAGapIsOneObjectAndSpecksAreNone) {
  Mask mask;
  mask.row(50, 20, 40);
  mask.row(50, 52, 70);  // 12 px away: padded boxes meet
  mask.row(90, 110, 115);
  const auto boxes = boxes_of_mask(mask.pixels, mask.width, mask.height);
  ASSERT_EQ(boxes.size(), 1U);
  EXPECT_EQ(boxes[0].x0, 12.0);
  EXPECT_EQ(boxes[0].x1, 78.0);
  EXPECT_EQ(boxes[0].y0, 34.5);  // 17 px high: widened to 32
  EXPECT_EQ(boxes[0].y1, 66.5);
}

TEST(BoxesOfMaskTest, FarPartsAreTwoObjectsAndBoxesStayInside) {
  Mask mask;
  mask.row(0, 0, 30);
  mask.row(99, 100, 128);
  const auto boxes = boxes_of_mask(mask.pixels, mask.width, mask.height);
  ASSERT_EQ(boxes.size(), 2U);
  for (const auto& box : boxes) {
    EXPECT_GE(box.x0, 0.0);
    EXPECT_GE(box.y0, 0.0);
    EXPECT_LE(box.x1, 128.0);
    EXPECT_LE(box.y1, 100.0);
    EXPECT_GE(box.height(), 32.0);
  }
  EXPECT_TRUE(boxes_of_mask(std::vector<uint8_t>(128 * 100), 128, 100).empty());
}

TEST(CropWindowsTest, ABoxGetsOneSquareWithAMargin) {
  const auto windows = crop_windows({100, 120, 300, 180}, 512, 512, {});
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0], (CropWindow{85, 35, 230, 230}));  // 200 + 15 %
  EXPECT_EQ(crop_windows({10, 10, 20, 20}, 512, 512, {}).front(), (CropWindow{0, 0, 96, 96}));
  // A frame smaller than the smallest crop lies in its middle.
  EXPECT_EQ(crop_windows({0, 0, 64, 64}, 64, 64, {}).front(), (CropWindow{-16, -16, 96, 96}));
}

TEST(CropWindowsTest, LargeBoxesAreTiledAndCovered) {
  const CropRule rule;
  for (const WireBox& box :
       {WireBox{0, 0, 512, 512}, WireBox{10, 200, 500, 260}, WireBox{100, 3, 430, 505}}) {
    const auto windows = crop_windows(box, 512, 512, rule);
    EXPECT_GT(windows.size(), 1U);
    for (const auto& window : windows) {
      EXPECT_LE(window.width, rule.max_side);
      EXPECT_GE(window.x, 0);
      EXPECT_LE(window.x + window.width, 512);
    }
    for (double y = box.y0; y < box.y1; y += 1.0) {
      for (double x = box.x0; x < box.x1; x += 1.0) {
        const bool covered = std::any_of(windows.begin(), windows.end(), [&](const CropWindow& w) {
          return x >= static_cast<double>(w.x) && x + 1 <= static_cast<double>(w.x + w.width) &&
                 y >= static_cast<double>(w.y) && y + 1 <= static_cast<double>(w.y + w.height);
        });
        ASSERT_TRUE(covered) << x << ", " << y;
      }
    }
  }
}

std::vector<float> ramp(int64_t width, int64_t height) {
  std::vector<float> image;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      image.push_back(static_cast<float>(2 * x + 3 * y));
    }
  }
  return image;
}

TEST(ResampleTest, CopiesGrowsAndShrinksALinearImageExactly) {
  const auto image = ramp(40, 30);
  std::vector<float> out;
  resample(image, 40, 30, {5, 6, 20, 20}, 20, 20, out);
  EXPECT_EQ(out[0], 2 * 5 + 3 * 6);
  EXPECT_EQ(out[20 * 19 + 19], 2 * 24 + 3 * 25);
  resample(image, 40, 30, {8, 8, 12, 12}, 24, 24, out);  // twice the size
  for (size_t i = 0; i < 24; ++i) {
    const double x = 8.0 + (static_cast<double>(i) + 0.5) / 2.0 - 0.5;
    EXPECT_NEAR(out[24 * 12 + i], 2.0 * x + 3.0 * (8.0 + 12.5 / 2.0 - 0.5), 1e-3);
  }
  resample(image, 40, 30, {0, 0, 30, 30}, 20, 20, out);  // two thirds: means over 1.5 px
  for (size_t i = 0; i < 20; ++i) {
    const double x = (static_cast<double>(i) + 0.5) * 1.5 - 0.5;
    // Steps of a pixel make the mean over 1.5 px differ from the ramp by up to 1/12 px.
    EXPECT_NEAR(out[20 * 10 + i], 2.0 * x + 3.0 * (10.5 * 1.5 - 0.5), 5.0 / 12.0 + 1e-3);
  }
}

TEST(ResampleTest, TheBorderStandsForWhatLiesOutside) {
  const std::vector<float> image{1, 2, 3, 4};
  std::vector<float> out;
  resample(image, 2, 2, {-1, -1, 4, 4}, 4, 4, out);
  EXPECT_EQ(out, (std::vector<float>{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
}

TEST(PasteMaximumTest, ALineComesBackWhereItWas) {
  std::vector<float> image(200 * 160, 0.0F), crop;
  for (int64_t y = 40; y < 120; ++y) image[static_cast<size_t>(y * 200 + 77)] = 1.0F;
  const CropWindow window{20, 10, 140, 140};
  resample(image, 200, 160, window, 224, 224, crop);
  std::vector<float> back(image.size(), 0.0F);
  paste_maximum(crop, 224, window, 200, 160, back);
  for (int64_t y = 45; y < 115; ++y) {
    const auto row = back.begin() + y * 200;
    EXPECT_EQ(std::max_element(row, row + 200) - row, 77) << y;
  }
  // Again with nothing: the larger value stays.
  const auto before = back;
  paste_maximum(std::vector<float>(224 * 224, 0.0F), 224, window, 200, 160, back);
  for (size_t i = 0; i < back.size(); ++i) EXPECT_EQ(back[i], std::max(before[i], 0.0F));
}

WireBox at(double x, double confidence, int64_t label = 0) {
  return {x, 50, x + 60, 110, confidence, label};
}

TEST(WireBoxTrackerTest, FaintBoxesBesideASureOneAreNothing) {
  WireBoxTracker tracker({});
  EXPECT_EQ(tracker.step({at(50, 0.9), at(200, 0.4)}, 512, 512).size(), 1U);
  tracker.reset();
  EXPECT_EQ(tracker.step({at(50, 0.3), at(200, 0.2)}, 512, 512).size(), 2U);
  tracker.reset();
  EXPECT_TRUE(tracker.step({at(50, 0.09)}, 512, 512).empty());
}

TEST(WireBoxTrackerTest, ThreeHitsOrASureBoxConfirm) {
  WireBoxTracker tracker({});
  EXPECT_TRUE(tracker.step({at(50, 0.7)}, 512, 512)[0].confirmed);
  tracker.reset();
  EXPECT_FALSE(tracker.step({at(50, 0.3)}, 512, 512)[0].confirmed);
  EXPECT_EQ(tracker.active().size(), 1U);  // tentative, but there is no other
  EXPECT_FALSE(tracker.step({at(52, 0.3)}, 512, 512)[0].confirmed);
  EXPECT_TRUE(tracker.step({at(54, 0.3)}, 512, 512)[0].confirmed);
  const auto& tracks = tracker.step({at(54, 0.3), at(300, 0.3)}, 512, 512);
  ASSERT_EQ(tracks.size(), 2U);
  EXPECT_EQ(tracker.active().size(), 1U);  // the new one waits
}

TEST(WireBoxTrackerTest, ABoxIsSmoothedWithItsTrack) {
  WireBoxTracker tracker({});
  tracker.step({at(50, 0.5)}, 512, 512);
  const auto& track = tracker.step({at(60, 0.7)}, 512, 512).front();
  EXPECT_NEAR(track.box.x0, 0.7 * 60 + 0.3 * 50, 1e-9);
  EXPECT_NEAR(track.box.confidence, 0.6 * 0.5 + 0.4 * 0.7, 1e-9);
  EXPECT_EQ(track.id, 0);
}

TEST(WireBoxTrackerTest, AMissedBoxGrowsFiveFramesAndThenEnds) {
  WireBoxTracker tracker({});
  tracker.step({at(100, 0.9)}, 512, 512);
  for (int frame = 1; frame <= 5; ++frame) {
    const auto& tracks = tracker.step({}, 512, 512);
    ASSERT_EQ(tracks.size(), 1U);
    EXPECT_NEAR(tracks[0].box.width(), 60.0 * std::pow(1.1, frame), 1e-9);
  }
  EXPECT_TRUE(tracker.step({}, 512, 512).empty());
  EXPECT_TRUE(tracker.active().empty());
  EXPECT_EQ(tracker.step({at(400, 0.9)}, 512, 512).front().id, 1);  // found anywhere
}

TEST(WireBoxTrackerTest, TwoDevicesKeepTheirTracks) {
  WireBoxTracker tracker({});
  tracker.step({at(50, 0.9), at(95, 0.8)}, 512, 512);
  const auto& tracks = tracker.step({at(98, 0.9), at(53, 0.8)}, 512, 512);
  ASSERT_EQ(tracks.size(), 2U);
  EXPECT_NEAR(tracks[0].box.x0, 0.7 * 53 + 0.3 * 50, 1e-9);
  EXPECT_NEAR(tracks[1].box.x0, 0.7 * 98 + 0.3 * 95, 1e-9);
}

}  // namespace
}  // namespace voxloom::infer
