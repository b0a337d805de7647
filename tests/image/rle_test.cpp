#include "voxloom/image/rle.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/image/polygon_mask.h"

#include "../metrics/guidewire_golden.h"
#include "../metrics/random_masks.h"

namespace voxloom::image {
namespace {

std::string error_of(std::string_view text, int64_t height, int64_t width) {
  try {
    static_cast<void>(rle_from_string(text, height, width));
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kDataCorrupt);
    return e.what();
  }
  return "no error";
}

TEST(RleTest, EqualsTheReferenceProgram) {
  const auto golden = test::guidewire_golden("coco_rle.json");
  ASSERT_EQ(golden.at("cases").size(), 9U);
  for (const auto& [name, c] : golden.at("cases").items()) {
    const int64_t h = c.at("size").at(0), w = c.at("size").at(1);
    const Rle rle{h, w, c.at("counts").get<std::vector<uint32_t>>()};
    const auto text = c.at("counts_string").get<std::string>();
    EXPECT_EQ(rle_to_string(rle), text) << name;
    EXPECT_EQ(rle_from_string(text, h, w), rle) << name;
    EXPECT_EQ(encode_rle(decode_rle(rle), w, h), rle) << name;
    EXPECT_EQ(rle_area(rle), c.at("area").get<int64_t>()) << name;
    const auto box = rle_box(rle);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(static_cast<double>(box.at(i)), c.at("bbox_xywh").at(i).get<double>()) << name;
    }
  }
}

TEST(RleTest, TheExampleMasksGiveTheirRuns) {
  const test::WireExample example;
  const auto cases = test::guidewire_golden("coco_rle.json").at("cases");
  EXPECT_EQ(rle_to_string(encode_rle(example.truth, 32, 32)),
            cases.at("golden_gt_32x32").at("counts_string").get<std::string>());
  EXPECT_EQ(rle_to_string(encode_rle(example.predicted, 32, 32)),
            cases.at("golden_pred_gt0.5_32x32").at("counts_string").get<std::string>());
}

TEST(RleTest, AnyMaskComesBack) {
  Rng rng(1);
  for (int i = 0; i < 300; ++i) {
    const auto w = static_cast<int64_t>(1 + rng.below(40)),
               h = static_cast<int64_t>(1 + rng.below(40));
    const auto m = test::random_mask(rng, w, h);
    const Rle rle = encode_rle(m.pixels, w, h);
    const Rle again = rle_from_string(rle_to_string(rle), h, w);
    ASSERT_EQ(again, rle);
    ASSERT_EQ(decode_rle(again), m.pixels);
    int64_t area = 0, x0 = w, x1 = -1, y0 = h, y1 = -1;
    for (int64_t y = 0; y < h; ++y) {
      for (int64_t x = 0; x < w; ++x) {
        if (m.at(x, y) == 0) continue;
        ++area;
        x0 = std::min(x0, x), x1 = std::max(x1, x), y0 = std::min(y0, y), y1 = y;
      }
    }
    ASSERT_EQ(rle_area(rle), area);
    const std::array<int64_t, 4> box =
        area == 0 ? std::array<int64_t, 4>{0, 0, 0, 0}
                  : std::array<int64_t, 4>{x0, y0, x1 - x0 + 1, y1 - y0 + 1};
    ASSERT_EQ(rle_box(rle), box);
  }
}

TEST(RleTest, RunsOfNoLengthInTheMiddleAreReadAsWritten) {
  const Rle rle{2, 2, {1, 0, 1, 2}};
  EXPECT_EQ(decode_rle(rle), (std::vector<uint8_t>{0, 1, 0, 1}));
  EXPECT_EQ(rle_box(rle), (std::array<int64_t, 4>{1, 0, 1, 2}));
}

TEST(RleTest, BadTextSaysWhatIsWrong) {
  EXPECT_EQ(error_of("d0", 4, 4), "rle: run 0 must lie within 0 ... 16 pixels, got 20");
  EXPECT_EQ(error_of("40", 4, 4), "rle: runs must fill the 16 pixels of [4, 4], got 4");
  EXPECT_EQ(error_of("=5", 4, 4), "rle: runs must fill the 16 pixels of [4, 4], got at least 18");
  EXPECT_EQ(error_of("", 4, 4), "rle: runs must fill the 16 pixels of [4, 4], got 0");
  EXPECT_EQ(error_of("P", 4, 4),
            "rle: the last number must end, got end of text after 1 characters");
  EXPECT_EQ(error_of("4 4", 4, 4), "rle: characters must lie within '0' ... 'o', got code 32 at 1");
  EXPECT_EQ(error_of("PPPPPPPP0", 4, 4), "rle: a number must fit into 7 characters, got more at 7");
  EXPECT_EQ(error_of("O", 4, 4), "rle: run 0 must lie within 0 ... 16 pixels, got -1");
  EXPECT_NE(error_of("0", 0, 4).find("rle: size must be positive"), std::string::npos);
  EXPECT_NE(error_of("0", int64_t{1} << 20, int64_t{1} << 20).find("at most 268435456 pixels"),
            std::string::npos);
}

TEST(RleTest, BadRunsAndMasksAreErrors) {
  EXPECT_THROW(static_cast<void>(decode_rle({2, 2, {5}})), Error);
  EXPECT_THROW(static_cast<void>(decode_rle({-2, 2, {}})), Error);
  EXPECT_THROW(static_cast<void>(encode_rle(std::vector<uint8_t>(5), 2, 2)), Error);
}

TEST(PolygonMaskTest, EqualsTheReferenceProgram) {
  const auto golden = test::guidewire_golden("coco_polygon.json");
  ASSERT_EQ(golden.at("cases").size(), 71U);
  for (const auto& [name, c] : golden.at("cases").items()) {
    const int64_t h = c.at("size").at(0), w = c.at("size").at(1);
    const auto polygon = c.at("polygon").get<std::vector<Point2>>();
    const Rle rle = polygon_rle(polygon, w, h);
    EXPECT_EQ(decode_rle(rle), decode_rle({h, w, c.at("counts").get<std::vector<uint32_t>>()}))
        << name;
    EXPECT_EQ(encode_rle(decode_rle(rle), w, h), rle) << name << ": runs are as short as can be";
  }
}

TEST(PolygonMaskTest, PartsAreJoined) {
  const std::vector<std::vector<Point2>> parts{{{1, 1}, {3, 1}, {3, 3}, {1, 3}},
                                               {{2, 2}, {5, 2}, {5, 4}, {2, 4}}};
  const auto mask = polygons_mask(parts, 6, 5);
  EXPECT_EQ(mask, (std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1,
                                        1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(PolygonMaskTest, BadPolygonsAreErrors) {
  const std::vector<Point2> two{{0, 0}, {1, 1}}, far{{0, 0}, {1e7, 0}, {0, 5}},
      nan{{0, 0}, {std::nan(""), 0}, {0, 5}}, fine{{0, 0}, {3, 0}, {0, 3}};
  EXPECT_THROW(static_cast<void>(polygon_rle(two, 5, 5)), Error);
  EXPECT_THROW(static_cast<void>(polygon_rle(far, 5, 5)), Error);
  EXPECT_THROW(static_cast<void>(polygon_rle(nan, 5, 5)), Error);
  EXPECT_THROW(static_cast<void>(polygon_rle(fine, 0, 5)), Error);
  EXPECT_THROW(static_cast<void>(polygon_rle(fine, int64_t{1} << 30, 5)), Error);
  // To and fro over a very wide image: refused before memory runs out.
  std::vector<Point2> zigzag;
  for (int i = 0; i < 400; ++i) zigzag.push_back({i % 2 == 0 ? 0.0 : 9e5, static_cast<double>(i)});
  EXPECT_THROW(static_cast<void>(polygon_rle(zigzag, 900000, 200)), Error);
}

}  // namespace
}  // namespace voxloom::image
