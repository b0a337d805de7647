#include "voxloom/image/slice_view.h"

#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

using testing::ElementsAre;

Geometry grid() {
  Geometry g;
  g.size = {4, 3, 2};
  g.spacing_mm = {1, 1, 5};
  return g;
}

TEST(PlaneTest, CutsAlongEachAxisWithTheHeadOnTop) {
  std::vector<uint8_t> v(24);
  std::iota(v.begin(), v.end(), uint8_t{0});  // v = x + 4 y + 12 z
  EXPECT_THAT(cut_plane(std::span<const uint8_t>(v), grid(), Plane::kAxial, 1),
              ElementsAre(12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23));
  EXPECT_THAT(cut_plane(std::span<const uint8_t>(v), grid(), Plane::kCoronal, 2),
              ElementsAre(20, 21, 22, 23, 8, 9, 10, 11));
  EXPECT_THAT(cut_plane(std::span<const uint8_t>(v), grid(), Plane::kSagittal, 3),
              ElementsAre(15, 19, 23, 3, 7, 11));
  EXPECT_THROW(static_cast<void>(plane_grid(grid(), Plane::kAxial, 2)), Error);
  EXPECT_THROW(static_cast<void>(plane_grid(grid(), Plane::kSagittal, -1)), Error);
}

TEST(PlaneTest, VoxelsAreFoundInTheCut) {
  // Each voxel's place in the cut holds that voxel's value.
  std::vector<uint8_t> v(24);
  std::iota(v.begin(), v.end(), uint8_t{0});
  for (const Plane plane : {Plane::kAxial, Plane::kCoronal, Plane::kSagittal}) {
    const auto g = plane_grid(grid(), plane, 1);
    const auto pixels = cut_plane(std::span<const uint8_t>(v), grid(), plane, 1);
    const Vec3 voxel{1, 1, 1};
    const auto at = g.pixel_of(voxel);
    EXPECT_EQ(pixels[static_cast<size_t>(at[1] * static_cast<double>(g.width) + at[0])], 17);
  }
}

TEST(SliceViewTest, ThickSlicesLookThick) {
  Canvas canvas(100, 100);
  // 4 mm wide, 10 mm high: fits by its height.
  const SliceView view(canvas, {0, 0, 100, 100}, plane_grid(grid(), Plane::kCoronal, 0));
  EXPECT_EQ(view.picture().width, 40);
  EXPECT_EQ(view.picture().height, 100);
  EXPECT_EQ(view.picture().x, 30);
  EXPECT_EQ(view.canvas_pixel({0, 0}), (std::array<int64_t, 2>{35, 25}));
}

TEST(SliceViewTest, LabelsAreTintedAndOutlined) {
  Geometry g;
  g.size = {5, 5, 1};
  Canvas canvas(50, 50);
  SliceView view(canvas, {0, 0, 50, 50}, plane_grid(g, Plane::kAxial, 0));
  view.draw_image(std::vector<uint8_t>(25, 100));
  std::vector<uint16_t> labels(25, 0);
  labels[12] = 3;
  view.draw_labels(labels, {.opacity = 0.5, .outline_pixels = 2});
  EXPECT_EQ(canvas.at(19, 25), (Color{100, 100, 100}));
  EXPECT_EQ(canvas.at(20, 25), label_color(3));
  EXPECT_EQ(canvas.at(21, 25), label_color(3));
  const Color tint = canvas.at(25, 25);
  EXPECT_EQ(tint.r, (100 + label_color(3).r + 1) / 2);
  EXPECT_EQ(canvas.at(29, 25), label_color(3));
  EXPECT_EQ(canvas.at(30, 25), (Color{100, 100, 100}));
}

TEST(SliceViewTest, BoxSurroundsItsVoxelsAndClicksHitTheCentre) {
  Geometry g;
  g.size = {10, 10, 1};
  Canvas canvas(100, 100);
  SliceView view(canvas, {0, 0, 100, 100}, plane_grid(g, Plane::kAxial, 0));
  const Color c{1, 2, 3};
  view.draw_box({2, 3, 0}, {4, 6, 0}, c);
  EXPECT_EQ(canvas.at(20, 30), c);
  EXPECT_EQ(canvas.at(49, 69), c);
  EXPECT_EQ(canvas.at(50, 70), kBlack);
  EXPECT_EQ(canvas.at(19, 30), kBlack);
  view.draw_click({7, 7, 0}, true);
  EXPECT_EQ(canvas.at(75, 75), kPositiveColor);
}

}  // namespace
}  // namespace voxloom::image
