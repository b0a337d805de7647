#include "voxloom/image/geometry.h"

#include <limits>

#include <gmock/gmock.h>

using namespace voxloom::image;  // NOLINT(*-using-namespace)

namespace {

Geometry grid() {
  Geometry g;
  g.size = {4, 5, 6};
  g.spacing_mm = {0.5, 0.5, 3};
  g.origin_mm = {-123.5, 7, 9};
  return g;
}

}  // namespace

TEST(GeometryTest, GridsAreTheSameWithinTheTolerance) {
  Geometry other = grid();
  other.origin_mm[0] += 0.01;
  EXPECT_TRUE(same_grid(other, grid(), 0.02));
  EXPECT_FALSE(same_grid(other, grid(), 0.005));
  EXPECT_EQ(grid_difference(other, grid(), 0.02), "");
  other.origin_mm[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(same_grid(other, grid(), 1e9));
}

TEST(GeometryTest, EveryDifferenceOfGridsIsNamed) {
  Geometry other = grid();
  other.size[2] = 7;
  EXPECT_EQ(grid_difference(other, grid()), "size [4, 5, 6], got [4, 5, 7]");
  other.spacing_mm[2] = 2;
  other.origin_mm[1] = 8;
  EXPECT_EQ(grid_difference(other, grid()),
            "size [4, 5, 6], got [4, 5, 7]; spacing in mm [0.5, 0.5, 3], got [0.5, 0.5, 2]; "
            "origin in mm (LPS) [-123.5, 7, 9], got [-123.5, 8, 9]");
  other = grid();
  other.direction = {-1, 0, 0, 0, -1, 0, 0, 0, 1};
  EXPECT_THAT(grid_difference(other, grid()), testing::StartsWith("direction [1, 0, 0"));
}

TEST(GeometryTest, ASmallTurnMovesTheFarCorners) {
  Geometry other = grid();
  other.direction = {1, -5e-4, 0, 5e-4, 1, 0, 0, 0, 1};
  EXPECT_EQ(grid_difference(other, grid(), 5e-4),
            "corners within 0.0005 mm, got them up to 0.001 mm away");
}
