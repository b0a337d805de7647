// The C interface over a segmenter that takes darkness for probability: results, bad input,
// threads, and what is left after an error.
#include "voxloom/capi/c_tracker.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/image/rle.h"

extern "C" int use_from_c(void);

namespace voxloom::capi {
namespace {

using testing::HasSubstr;

constexpr int32_t kSize = 128;

class DarknessSegmenter final : public infer::WireSegmenter {
 public:
  const infer::WireModelInfo& info() const override { return info_; }
  void segment(const image::Frame& frame, std::vector<float>& probability) override {
    if (fail_next) {
      fail_next = false;
      throw std::runtime_error("the network broke\nstack that nobody wants");
    }
    while (hold) std::this_thread::yield();
    probability.resize(frame.pixels.size());
    for (size_t i = 0; i < probability.size(); ++i) probability[i] = 1.0F - frame.pixels[i];
  }
  static inline std::atomic<bool> fail_next = false, hold = false;

 private:
  infer::WireModelInfo info_{.name = "darkness", .classes = {"guidewire"}};
};

struct Destroy {
  void operator()(voxloom_tracker* tracker) const { voxloom_tracker_destroy(tracker); }
};
using Handle = std::unique_ptr<voxloom_tracker, Destroy>;

Handle tracker(double pixel_mm = 0.0, bool bright = false) {
  return Handle(adopt_tracker(
      infer::make_wire_tracker(std::make_unique<DarknessSegmenter>(), {}), pixel_mm, bright));
}

/// A dark horizontal wire from the left border to x = `tip`, 3 px wide, with a hole of `gap` px.
std::vector<uint8_t> picture(int tip, int gap = 0) {
  std::vector<uint8_t> pixels(kSize * kSize, 255);
  for (int y = 63; y <= 65; ++y) {
    for (int x = 0; x <= tip; ++x) {
      if (x >= 40 && x < 40 + gap) continue;
      pixels[static_cast<size_t>(y * kSize + x)] = 10;
    }
  }
  return pixels;
}

voxloom_frame frame_of(const std::vector<uint8_t>& pixels, int64_t time_ns = 0) {
  return {.struct_size = sizeof(voxloom_frame),
          .pixels = pixels.data(),
          .size_bytes = pixels.size(),
          .width = kSize,
          .height = kSize,
          .stride_bytes = kSize,
          .bits = 8,
          .white = 0,
          .capture_time_ns = time_ns,
          .pixel_mm = 0.0};
}

const voxloom_wire_result* push(const Handle& handle, const voxloom_frame& frame) {
  const voxloom_wire_result* result = nullptr;
  EXPECT_EQ(voxloom_tracker_push(handle.get(), &frame, &result), VOXLOOM_OK)
      << voxloom_last_error();
  return result;
}

TEST(CTrackerTest, HeaderAndFunctionsWorkFromC) {
  EXPECT_EQ(use_from_c(), 0);
}

TEST(CTrackerTest, ResultHoldsWhatTheTrackerFound) {
  const auto handle = tracker(0.2);
  const auto pixels = picture(90, 5);
  const auto* found = push(handle, frame_of(pixels, 5'000'000'000));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->number, 0);
  EXPECT_EQ(found->capture_time_ns, 5'000'000'000);
  EXPECT_EQ(found->time_s, 0.0);
  EXPECT_GT(found->age_ms, 0.0);
  EXPECT_EQ(found->state, VOXLOOM_WIRE_TRACKING);
  EXPECT_EQ(found->predicted, 0);
  EXPECT_STREQ(found->reason, "");
  ASSERT_EQ(found->has_tip, 1);
  EXPECT_NEAR(found->tip.x, 90.0, 2.0);
  EXPECT_NEAR(found->tip.y, 64.0, 0.5);
  EXPECT_NEAR(found->tip_direction.x, 1.0, 0.05);
  EXPECT_GT(found->tip_confidence, 0.5);
  EXPECT_EQ(found->pixel_mm, 0.2);
  EXPECT_NEAR(found->length_mm, 0.2 * found->length_px, 1e-9);

  // Mask, run lengths and box say the same.
  const auto rle = image::rle_from_string(found->mask_rle, found->height, found->width);
  const auto mask = image::decode_rle(rle);
  EXPECT_EQ(std::memcmp(mask.data(), found->mask, mask.size()), 0);
  EXPECT_EQ(found->box[1], 63);
  EXPECT_EQ(found->box[3], 3);

  // The gap is on the line, marked, and not in the mask.
  ASSERT_EQ(found->gap_count, 1u);
  ASSERT_GT(found->centerline.count, 60u);
  EXPECT_EQ(found->centerline_bridged[found->gaps[0].first], 1);
  EXPECT_EQ(found->centerline_bridged[found->gaps[0].last], 1);
  EXPECT_EQ(found->centerline_bridged[0], 0);
  EXPECT_EQ(found->mask[64 * kSize + 42], 0);

  ASSERT_EQ(found->spline_degree, 3);
  EXPECT_EQ(found->spline_knot_count, found->spline_coefficient_count + 4);
  ASSERT_GE(found->stage_count, 3u);
  EXPECT_STREQ(found->stages[0].name, "network");
}

TEST(CTrackerTest, JsonIsTheLineOfWireTrack) {
  const auto handle = tracker();
  const auto pixels = picture(90);
  const auto* found = push(handle, frame_of(pixels, 77));
  const char* text = nullptr;
  ASSERT_EQ(voxloom_tracker_json(handle.get(), &text), VOXLOOM_OK);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["state"], "tracking");
  EXPECT_EQ(json["capture_time_ns"], 77);
  EXPECT_EQ(json["rle"]["counts"], found->mask_rle);  // The result outlives the call.
  EXPECT_NEAR(json["tip"]["x"].get<double>(), found->tip.x, 0.006);
  EXPECT_EQ(std::string(text).find('\n'), std::string::npos);
}

TEST(CTrackerTest, MissingWireIsPredictedAndThenLostWithTheReason) {
  const auto handle = tracker();
  const auto blank = std::vector<uint8_t>(kSize * kSize, 255);
  for (int i = 0; i < 3; ++i) push(handle, frame_of(picture(80 + 2 * i), i * 66'000'000));
  const auto* found = push(handle, frame_of(blank, 3 * 66'000'000));
  EXPECT_EQ(found->state, VOXLOOM_WIRE_PREDICTED);
  EXPECT_EQ(found->predicted, 1);
  EXPECT_THAT(found->reason, HasSubstr("no pixel above"));
  EXPECT_EQ(found->has_tip, 1);
  EXPECT_EQ(found->tip_confidence, 0.0);
  EXPECT_EQ(found->spline_degree, 0);
  EXPECT_EQ(found->box[2], 0);
  for (int i = 0; i < 11; ++i) found = push(handle, frame_of(blank, (4 + i) * 66'000'000));
  EXPECT_EQ(found->state, VOXLOOM_WIRE_LOST);
  EXPECT_EQ(found->has_tip, 0);
  EXPECT_EQ(found->centerline.count, 0u);
}

TEST(CTrackerTest, SixteenBitsStrideAndWhiteLevelGiveTheSameResult) {
  const auto pixels = picture(90, 4);
  const auto plain = tracker();
  push(plain, frame_of(pixels));
  const char* text = nullptr;
  ASSERT_EQ(voxloom_tracker_json(plain.get(), &text), VOXLOOM_OK);
  const auto expected = nlohmann::json::parse(text)["rle"];

  // Rows of 16 bits, 7 bytes of something else between them, white at 255.
  constexpr int64_t kStride = 2 * kSize + 7;
  std::vector<uint8_t> wide(kStride * kSize, 0xAB);
  for (int64_t y = 0; y < kSize; ++y) {
    for (int64_t x = 0; x < kSize; ++x) {
      const uint16_t value = pixels[static_cast<size_t>(y * kSize + x)];
      std::memcpy(&wide[static_cast<size_t>(y * kStride + 2 * x)], &value, sizeof value);
    }
  }
  auto frame = frame_of(wide);
  frame.bits = 16;
  frame.stride_bytes = kStride;
  frame.white = 255;
  const auto other = tracker();
  push(other, frame);
  ASSERT_EQ(voxloom_tracker_json(other.get(), &text), VOXLOOM_OK);
  EXPECT_EQ(nlohmann::json::parse(text)["rle"], expected);
}

TEST(CTrackerTest, BrightObjectsAreTurnedDark) {
  auto pixels = picture(90);
  for (auto& p : pixels) p = static_cast<uint8_t>(255 - p);
  const auto handle = tracker(0.0, /*bright=*/true);
  EXPECT_EQ(push(handle, frame_of(pixels))->state, VOXLOOM_WIRE_TRACKING);
}

TEST(CTrackerTest, WrongFramesAreRefusedByFieldAndChangeNothing) {
  const auto pixels = picture(90);
  const auto good = frame_of(pixels, 1000);
  struct Case {
    const char* says;
    void (*spoil)(voxloom_frame&);
  };
  const Case cases[] = {
      {"frame.struct_size", [](voxloom_frame& f) { f.struct_size = 8; }},
      {"frame.pixels: must not be null", [](voxloom_frame& f) { f.pixels = nullptr; }},
      {"frame.width, frame.height", [](voxloom_frame& f) { f.width = 0; }},
      {"frame.width, frame.height", [](voxloom_frame& f) { f.height = -5; }},
      {"frame.width, frame.height", [](voxloom_frame& f) { f.width = 1 << 20; }},
      {"frame.bits: must be 8 or 16, got 12", [](voxloom_frame& f) { f.bits = 12; }},
      {"frame.stride_bytes: must lie within [128", [](voxloom_frame& f) { f.stride_bytes = 127; }},
      {"frame.stride_bytes: must lie within [256", [](voxloom_frame& f) { f.bits = 16; }},
      {"frame.stride_bytes", [](voxloom_frame& f) { f.stride_bytes = -128; }},
      {"frame.stride_bytes", [](voxloom_frame& f) { f.stride_bytes = INT64_MAX; }},
      {"need 16384, got 16383", [](voxloom_frame& f) { f.size_bytes -= 1; }},
      {"frame.size_bytes", [](voxloom_frame& f) { f.stride_bytes = 129; }},
      {"frame.white", [](voxloom_frame& f) { f.white = 256; }},
      {"frame.pixel_mm", [](voxloom_frame& f) { f.pixel_mm = -1.0; }},
      {"frame.pixel_mm",
       [](voxloom_frame& f) { f.pixel_mm = std::numeric_limits<double>::quiet_NaN(); }},
      {"frame.capture_time_ns: must not be before the last frame's, 1000, got 999",
       [](voxloom_frame& f) { f.capture_time_ns = 999; }},
  };
  const auto handle = tracker();
  push(handle, good);
  for (const auto& item : cases) {
    auto frame = good;
    item.spoil(frame);
    const voxloom_wire_result* result = reinterpret_cast<const voxloom_wire_result*>(&frame);
    EXPECT_EQ(voxloom_tracker_push(handle.get(), &frame, &result), VOXLOOM_INVALID_ARGUMENT)
        << item.says;
    EXPECT_THAT(voxloom_last_error(), HasSubstr(item.says));
    EXPECT_EQ(result, nullptr);
    // The old result is gone rather than taken for the new frame's.
    const char* text = nullptr;
    EXPECT_EQ(voxloom_tracker_json(handle.get(), &text), VOXLOOM_INVALID_ARGUMENT);
  }
  EXPECT_EQ(voxloom_tracker_push(handle.get(), nullptr, nullptr), VOXLOOM_INVALID_ARGUMENT);
  // The tracker goes on as if nothing had been said.
  auto next = good;
  next.capture_time_ns = 2'000'001'000;
  const auto* found = push(handle, next);
  EXPECT_EQ(found->number, 1);
  EXPECT_NEAR(found->time_s, 2.0, 1e-12);
  EXPECT_STREQ(voxloom_last_error(), "");
}

TEST(CTrackerTest, AfterAFailureInsideTheTrackerStartsAnew) {
  const auto handle = tracker();
  const auto pixels = picture(90);
  push(handle, frame_of(pixels, 5000));
  DarknessSegmenter::fail_next = true;
  const auto frame = frame_of(pixels, 6000);
  const voxloom_wire_result* result = nullptr;
  EXPECT_EQ(voxloom_tracker_push(handle.get(), &frame, &result), VOXLOOM_INTERNAL);
  EXPECT_STREQ(voxloom_last_error(), "internal error: the network broke");
  EXPECT_EQ(result, nullptr);
  // Earlier than the frames before: they are forgotten.
  const auto* found = push(handle, frame_of(pixels, 4000));
  EXPECT_EQ(found->number, 0);
  EXPECT_EQ(found->state, VOXLOOM_WIRE_TRACKING);
}

TEST(CTrackerTest, ResetAndWarmUpStartANewStream) {
  const auto handle = tracker();
  const auto pixels = picture(90);
  push(handle, frame_of(pixels, INT64_MAX));
  ASSERT_EQ(voxloom_tracker_reset(handle.get()), VOXLOOM_OK);
  EXPECT_EQ(push(handle, frame_of(pixels, INT64_MIN))->number, 0);
  // The largest step of time that there is.
  EXPECT_NEAR(push(handle, frame_of(pixels, INT64_MAX))->time_s, 1.8446744e10, 1e4);
  ASSERT_EQ(voxloom_tracker_warm_up(handle.get(), 64, 32), VOXLOOM_OK);
  EXPECT_EQ(push(handle, frame_of(pixels, 0))->number, 0);
  EXPECT_EQ(voxloom_tracker_warm_up(handle.get(), 0, 32), VOXLOOM_INVALID_ARGUMENT);
  EXPECT_THAT(voxloom_last_error(), HasSubstr("width, height"));
}

TEST(CTrackerTest, ASecondThreadIsToldToStayOut) {
  const auto handle = tracker();
  const auto pixels = picture(90);
  DarknessSegmenter::hold = true;
  voxloom_status first = VOXLOOM_INTERNAL;
  std::thread other([&] {
    const auto frame = frame_of(pixels);
    do {
      first = voxloom_tracker_push(handle.get(), &frame, nullptr);
    } while (first == VOXLOOM_UNAVAILABLE);  // The other one was inside, just then.
  });
  // Until the other thread is inside; then every call is refused, and its message is its own.
  voxloom_status second = VOXLOOM_OK;
  while (second == VOXLOOM_OK) second = voxloom_tracker_reset(handle.get());
  EXPECT_EQ(second, VOXLOOM_UNAVAILABLE);
  EXPECT_THAT(voxloom_last_error(), HasSubstr("one thread at a time"));
  DarknessSegmenter::hold = false;
  other.join();
  EXPECT_EQ(first, VOXLOOM_OK);
  EXPECT_EQ(voxloom_tracker_reset(handle.get()), VOXLOOM_OK);
}

TEST(CTrackerTest, CreationSaysWhatIsWrong) {
  voxloom_tracker* made = nullptr;
  const auto create = [&](const char* package, const char* options) {
    made = reinterpret_cast<voxloom_tracker*>(&made);
    const auto status = voxloom_tracker_create(VOXLOOM_TRACKER_ABI, package, options, &made);
    EXPECT_EQ(made, nullptr);
    return status;
  };
  EXPECT_EQ(voxloom_tracker_create(VOXLOOM_TRACKER_ABI + 1, "x", nullptr, &made),
            VOXLOOM_UNSUPPORTED);
  EXPECT_THAT(voxloom_last_error(), HasSubstr("must be number 1"));
  EXPECT_EQ(voxloom_tracker_create(VOXLOOM_TRACKER_ABI, "x", nullptr, nullptr),
            VOXLOOM_INVALID_ARGUMENT);
  EXPECT_EQ(create(nullptr, nullptr), VOXLOOM_INVALID_ARGUMENT);
  EXPECT_EQ(create("", nullptr), VOXLOOM_INVALID_ARGUMENT);
  EXPECT_EQ(create("no-such-package", "{\"high\": 0.7}"), VOXLOOM_NOT_FOUND);
  EXPECT_THAT(voxloom_last_error(), HasSubstr("no-such-package"));
  const std::pair<const char*, const char*> wrong[] = {
      {"{", "valid JSON"},
      {"[1]", "must be a JSON object, got array"},
      {"{\"hihg\": 0.7}", "hihg"},
      {"{\"overlay\": \"a.mp4\"}", "overlay"},
      {"{\"source\": \"a.mp4\"}", "source"},
      {"{\"high\": 2}", "--high: must lie within [0, 1], got 2"},
      {"{\"high\": 0.2, \"low\": 0.5}", "0 < low <= high"},
      {"{\"engine\": \"abacus\"}", "must be one of auto, torch, openvino"},
      {"{\"threads\": -1}", "--threads"},
  };
  for (const auto& [options, says] : wrong) {
    EXPECT_EQ(create("no-such-package", options), VOXLOOM_INVALID_ARGUMENT) << options;
    EXPECT_THAT(voxloom_last_error(), HasSubstr(says));
  }
}

TEST(CTrackerTest, EveryStatusHasAName) {
  EXPECT_STREQ(voxloom_status_name(VOXLOOM_OK), "ok");
  EXPECT_STREQ(voxloom_status_name(VOXLOOM_ALREADY_EXISTS), "already_exists");
  EXPECT_STREQ(voxloom_status_name(VOXLOOM_OUT_OF_MEMORY), "out_of_memory");
  EXPECT_STREQ(voxloom_status_name(static_cast<voxloom_status>(14)), "unknown");
}

TEST(CTrackerTest, InfoDescribesTheModel) {
  const auto handle = tracker();
  const char* text = nullptr;
  ASSERT_EQ(voxloom_tracker_info(handle.get(), &text), VOXLOOM_OK);
  EXPECT_EQ(nlohmann::json::parse(text)["name"], "darkness");
  EXPECT_EQ(voxloom_tracker_info(handle.get(), nullptr), VOXLOOM_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace voxloom::capi
