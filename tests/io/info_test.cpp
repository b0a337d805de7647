#include "voxloom/io/info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/io/affine.h"
#include "voxloom/io/volume_io.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using image::PixelType;
using image::Volume;
using testing::TempFolder;

Volume ramp(PixelType type, int64_t count) {
  image::Geometry geometry;
  geometry.size = {count, 1, 1};
  Volume volume(geometry, type);
  image::dispatch(type, [&](auto t) {
    const auto voxels = volume.as<decltype(t)>();
    for (size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<decltype(t)>(i);
  });
  return volume;
}

double percentile(const VolumeStatistics& s, double percent) {
  for (const auto& p : s.percentiles) {
    if (p.percent == percent) return p.value;
  }
  return -1;
}

TEST(StatisticsTest, PercentilesInterpolateAsNumpyDoes) {
  const auto source = image::make_source(ramp(PixelType::kInt16, 101));
  const auto s = volume_statistics(*source);
  EXPECT_EQ(s.minimum, 0);
  EXPECT_EQ(s.maximum, 100);
  EXPECT_DOUBLE_EQ(s.mean, 50);
  EXPECT_NEAR(s.standard_deviation, std::sqrt((101 * 101 - 1) / 12.0), 1e-9);
  EXPECT_DOUBLE_EQ(percentile(s, 0.5), 0.5);
  EXPECT_DOUBLE_EQ(percentile(s, 50), 50);
  EXPECT_DOUBLE_EQ(percentile(s, 99.5), 99.5);
}

TEST(StatisticsTest, WideTypesAreWithinOneBin) {
  for (const auto type :
       {PixelType::kInt32, PixelType::kFloat32, PixelType::kFloat64, PixelType::kUint64}) {
    const auto source = image::make_source(ramp(type, 10001));
    const auto s = volume_statistics(*source);
    EXPECT_NEAR(percentile(s, 25), 2500, 10000.0 / 65535) << image::pixel_type_name(type);
    EXPECT_EQ(s.maximum, 10000);
  }
}

TEST(StatisticsTest, WhatIsNotFiniteIsCountedOnly) {
  Volume volume = ramp(PixelType::kFloat32, 11);
  volume.as<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  volume.as<float>()[4] = std::numeric_limits<float>::infinity();
  const auto s = volume_statistics(*image::make_source(volume));
  EXPECT_EQ(s.not_finite, 2);
  EXPECT_EQ(s.maximum, 10);
  for (float& v : volume.as<float>()) v = std::numeric_limits<float>::quiet_NaN();
  const auto none = volume_statistics(*image::make_source(volume));
  EXPECT_EQ(none.not_finite, 11);
  EXPECT_TRUE(none.percentiles.empty());
}

TEST(StatisticsTest, ExtremeFloatsDoNotOverflow) {
  Volume volume = ramp(PixelType::kFloat64, 3);
  volume.as<double>()[0] = std::numeric_limits<double>::lowest();
  volume.as<double>()[2] = std::numeric_limits<double>::max();
  const auto s = volume_statistics(*image::make_source(volume));
  EXPECT_EQ(s.minimum, std::numeric_limits<double>::lowest());
  EXPECT_EQ(s.maximum, std::numeric_limits<double>::max());
  EXPECT_NEAR(percentile(s, 50) / s.maximum, 0, 1e-4);
}

TEST(InfoTest, SaysWhatIsInTheFile) {
  const TempFolder folder;
  image::LabelVolume labels(testing::oblique_geometry(true));
  labels.voxels()[1] = 4;
  labels.labels = {{4, "cyst"}};
  write_labels(labels, folder / "a.seg.nrrd", Overwrite::kRefuse);
  const auto json = to_json(describe_volume(folder / "a.seg.nrrd"));
  EXPECT_EQ(json["format"], "NRRD");
  EXPECT_EQ(json["type"], "uint8");
  EXPECT_EQ(json["size"], (std::vector{7, 5, 3}));
  EXPECT_EQ(json["right_handed"], false);
  EXPECT_EQ(json["orthogonal"], true);
  EXPECT_EQ(json["labels"]["4"], "cyst");
  EXPECT_EQ(json["values"]["max"], 4);
  EXPECT_TRUE(json["values"]["percentiles"].contains("99.5"));
  EXPECT_FALSE(to_json(describe_volume(folder / "a.seg.nrrd", "", false)).contains("values"));
}

TEST(OrientationTest, NamesWhereAxesPoint) {
  image::Geometry g;
  EXPECT_EQ(orientation_code(g), "LPS");
  g.direction = {-1, 0, 0, 0, -1, 0, 0, 0, 1};
  EXPECT_EQ(orientation_code(g), "RAS");
  g.direction = {0, 0, 1, 1, 0, 0, 0, -1, 0};
  EXPECT_EQ(orientation_code(g), "PIL");
  EXPECT_TRUE(is_orthogonal(g));
  // 45 degrees: every letter is still used once.
  const double s = std::sqrt(0.5);
  g.direction = {s, -s, 0, s, s, 0, 0, 0, 1};
  EXPECT_EQ(orientation_code(g), "LPS");
  g.direction = {1, 0.6, 0, 0, 0.8, 0, 0, 0, 1};
  EXPECT_FALSE(is_orthogonal(g));
}

}  // namespace
}  // namespace voxloom::io
