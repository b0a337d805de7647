#include "voxloom/image/statistics.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

Geometry grid() {
  Geometry g;
  g.size = {5, 4, 3};
  g.spacing_mm = {0.5, 2.0, 10.0};
  g.origin_mm = {100, -50, 7};
  g.direction = {0, -1, 0, 1, 0, 0, 0, 0, 1};  // Columns: x index runs along +y of the world.
  return g;
}

size_t at(int64_t x, int64_t y, int64_t z) {
  return static_cast<size_t>((z * 4 + y) * 5 + x);
}

TEST(LabelStatisticsTest, ReportsCountVolumeBoxAndCentroidInWorldSpace) {
  LabelVolume labels(grid());
  labels.labels = {{7, "tumour"}};
  for (const int64_t x : {1, 2, 3}) labels.voxels()[at(x, 2, 1)] = 7;
  labels.voxels()[at(2, 2, 2)] = 7;
  labels.voxels()[at(0, 0, 0)] = 400;
  const auto stats = label_statistics(labels);
  ASSERT_EQ(stats.size(), 2U);
  EXPECT_EQ(stats[0].value, 7);
  EXPECT_EQ(stats[0].name, "tumour");
  EXPECT_EQ(stats[0].voxels, 4);
  EXPECT_DOUBLE_EQ(stats[0].volume_ml, 0.04);
  EXPECT_EQ(stats[0].box_min, (Index3{1, 2, 1}));
  EXPECT_EQ(stats[0].box_max, (Index3{3, 2, 2}));
  EXPECT_EQ(stats[0].centroid_voxel, (Vec3{2, 2, 1.25}));
  EXPECT_DOUBLE_EQ(stats[0].centroid_mm[0], 100 - 4.0);
  EXPECT_DOUBLE_EQ(stats[0].centroid_mm[1], -50 + 1.0);
  EXPECT_DOUBLE_EQ(stats[0].centroid_mm[2], 7 + 12.5);
  EXPECT_FALSE(stats[0].intensity.has_value());
  EXPECT_EQ(stats[1].value, 400);
  EXPECT_TRUE(stats[1].name.empty());
}

TEST(LabelStatisticsTest, IntensitiesLeaveNanOutAndKeepPrecisionUnderAnOffset) {
  LabelVolume labels(grid());
  Volume image(grid(), PixelType::kFloat64);
  const double values[] = {1e9 + 1, 1e9 + 2, 1e9 + 6};
  for (int64_t x = 0; x < 3; ++x) {
    labels.voxels()[at(x, 0, 0)] = 1;
    image.as<double>()[at(x, 0, 0)] = values[x];
  }
  labels.voxels()[at(3, 0, 0)] = 1;
  image.as<double>()[at(3, 0, 0)] = std::numeric_limits<double>::quiet_NaN();
  const auto stats = label_statistics(labels, &image);
  ASSERT_TRUE(stats.at(0).intensity.has_value());
  EXPECT_DOUBLE_EQ(stats[0].intensity->mean, 1e9 + 3);
  EXPECT_NEAR(stats[0].intensity->std, std::sqrt(14.0 / 3.0), 1e-6);
  EXPECT_EQ(stats[0].intensity->min, 1e9 + 1);
  EXPECT_EQ(stats[0].intensity->max, 1e9 + 6);
  EXPECT_EQ(stats[0].intensity->nan_voxels, 1);
  EXPECT_EQ(stats[0].voxels, 4);
}

TEST(LabelStatisticsTest, NoLabelsGiveNoRowsAndSizesMustAgree) {
  EXPECT_TRUE(label_statistics(LabelVolume(grid())).empty());
  Geometry other = grid();
  other.size = {5, 4, 2};
  const Volume image(other, PixelType::kInt16);
  EXPECT_THROW(static_cast<void>(label_statistics(LabelVolume(grid()), &image)), Error);
}

}  // namespace
}  // namespace voxloom::image
