#include "voxloom/metrics/centerline.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/image/skeleton.h"
#include "voxloom/metrics/topology.h"

#include "guidewire_golden.h"

namespace voxloom::metrics {
namespace {

TEST(ClDiceTest, EqualsTheGoldenExampleForEachThinning) {
  const test::WireExample example;
  const std::pair<image::Thinning, const char*> cases[] = {
      {image::Thinning::kGuoHall, "guo_hall"},
      {image::Thinning::kZhangSuen, "zhang_suen_classical"},
      {image::Thinning::kLamLee, "skimage_thin"},
      {image::Thinning::kLee, "skimage_lee"}};
  for (const auto& [thinning, name] : cases) {
    const auto& golden = example.golden.at("skeleton_variants").at(name);
    const auto d = centerline_dice(example.truth,
                                   image::skeletonize(example.truth, 32, 32, thinning),
                                   example.predicted,
                                   image::skeletonize(example.predicted, 32, 32, thinning));
    EXPECT_EQ(d.predicted_length, golden.at("skel_pred_px").get<int64_t>()) << name;
    EXPECT_EQ(d.truth_length, golden.at("skel_gt_px").get<int64_t>()) << name;
    EXPECT_NEAR(d.precision, golden.at("tprec").get<double>(), 1e-12) << name;
    EXPECT_NEAR(d.sensitivity, golden.at("tsens").get<double>(), 1e-12) << name;
    EXPECT_NEAR(d.value, golden.at("cldice").get<double>(), 1e-12) << name;
  }
}

TEST(ClDiceTest, EmptySkeletonsGiveOneOrZeroAndNeverNan) {
  const std::vector<uint8_t> empty(4, 0), line{0, 1, 1, 0}, other{1, 0, 0, 1};
  EXPECT_EQ(centerline_dice(empty, empty, empty, empty).value, 1.0);
  EXPECT_EQ(centerline_dice(line, line, empty, empty).value, 0.0);
  EXPECT_EQ(centerline_dice(empty, empty, line, line).value, 0.0);
  EXPECT_EQ(centerline_dice(line, line, other, other).value, 0.0);
  EXPECT_EQ(centerline_dice(line, line, line, line).value, 1.0);
  EXPECT_THROW(static_cast<void>(centerline_dice(line, line, line, std::vector<uint8_t>(3))),
               Error);
}

TEST(DrawCurveTest, LinesAreConnectedAndNearTheCurve) {
  std::vector<std::array<double, 2>> points;
  for (int i = 0; i <= 24; ++i) {
    points.push_back({20 + 14 * std::cos(0.24 * i), 20 + 14 * std::sin(0.24 * i)});
  }
  const auto line = draw_curve(points, 40, 40);
  EXPECT_EQ(betti_numbers(line, 40, 40).components, 1);
  int64_t pixels = 0;
  for (int64_t i = 0; i < 1600; ++i) {
    if (line[static_cast<size_t>(i)] == 0) continue;
    ++pixels;
    const double r = std::hypot(static_cast<double>(i % 40 - 20), static_cast<double>(i / 40 - 20));
    EXPECT_NEAR(r, 14.0, 0.71 + 0.11);  // 0.11: the chords between the points.
  }
  EXPECT_GT(pixels, 70);
}

TEST(DrawCurveTest, EndsArePixelsAndTheOutsideIsCutOff) {
  const std::vector<std::array<double, 2>> across{{-3, 2}, {8, 2}}, dot{{2.4, 0.6}};
  const auto line = draw_curve(across, 5, 4);
  EXPECT_EQ(std::accumulate(line.begin(), line.end(), 0), 5);
  const auto one = draw_curve(dot, 5, 4);
  EXPECT_EQ(one[5 + 2], 1);
  EXPECT_EQ(std::accumulate(one.begin(), one.end(), 0), 1);
  EXPECT_EQ(draw_curve({}, 5, 4), std::vector<uint8_t>(20, 0));
  const std::vector<std::array<double, 2>> far{{1e9, 0}}, nan{{std::nan(""), 0}};
  EXPECT_THROW(static_cast<void>(draw_curve(far, 5, 4)), Error);
  EXPECT_THROW(static_cast<void>(draw_curve(nan, 5, 4)), Error);
}

}  // namespace
}  // namespace voxloom::metrics
