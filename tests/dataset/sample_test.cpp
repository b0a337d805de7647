#include "voxloom/dataset/sample.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/npz.h"
#include "voxloom/dataset/picture_file.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::write_grey;

TEST(SampleTest, NamesComeBack) {
  for (const auto role :
       {Role::kNone, Role::kTrain, Role::kFinetune, Role::kVal, Role::kValExtra, Role::kSealed}) {
    EXPECT_EQ(role_from_name(role_name(role)), role);
  }
  EXPECT_EQ(wire_class_from_name("ignore"), WireClass::kIgnore);
  EXPECT_THAT(
      error_of([] { static_cast<void>(role_from_name("testing")); }),
      HasSubstr(
          "role: must be one of none, train, finetune, val, val_extra, sealed, got 'testing'"));
}

TEST(SampleTest, ImageFillsTheUnitRangeAndIdsAreTranslated) {
  const TempFolder folder;
  write_grey(folder / "i.png", 2, 2, {0, 51, 255, 102});
  write_grey(folder / "m.png", 2, 2, {0, 7, 7, 0});
  Sample sample;
  sample.dataset = "D";
  sample.image = folder / "i.png";
  EXPECT_TRUE(load_sample(sample).mask.empty());
  sample.mask = folder / "m.png";
  sample.classes = binary_class_map(WireClass::kCatheter, 7);
  const LabelledImage got = load_sample(sample);
  EXPECT_THAT(got.image, ElementsAre(0.0F, 0.2F, 1.0F, 0.4F));
  EXPECT_THAT(got.mask, ElementsAre(0, 2, 2, 0));
  sample.classes = binary_class_map(WireClass::kCatheter, 9);
  EXPECT_THAT(error_of([&] { static_cast<void>(load_sample(sample)); }),
              HasSubstr("m.png': mask ids must be known to the class map of 'D', got 7 (2 px)"));
  write_grey(folder / "m.png", 1, 4, {0, 9, 9, 0});
  EXPECT_THAT(error_of([&] { static_cast<void>(load_sample(sample)); }),
              HasSubstr("must have the size of its image 2x2, got 1x4"));
}

TEST(PictureFileTest, ArraysAndWidePicturesAreScaled) {
  const TempFolder folder;
  const std::vector<uint16_t> wide{0, 65535, 13107};
  write_npy(folder / "a.npy", make_array<uint16_t>("a", {1, 3}, wide), Overwrite::kRefuse);
  EXPECT_THAT(read_picture(folder / "a.npy").pixels, ElementsAre(0.0F, 1.0F, 0.2F));
  const std::vector<float> real{0.25F, 1.0F};
  write_npy(folder / "f.npy", make_array<float>("f", {2, 1}, real), Overwrite::kRefuse);
  EXPECT_EQ(read_picture(folder / "f.npy").height, 2);
  const std::vector<float> bad{0.25F, 1.5F};
  write_npy(folder / "b.npy", make_array<float>("b", {2, 1}, bad), Overwrite::kRefuse);
  EXPECT_THAT(error_of([&] { static_cast<void>(read_picture(folder / "b.npy")); }),
              HasSubstr("within [0, 1], got 1.5"));
  std::ofstream(folder / "x.png") << "hello";
  EXPECT_THAT(error_of([&] { static_cast<void>(read_picture(folder / "x.png")); }),
              HasSubstr("must be a PNG, JPEG, TIFF or NPY picture"));
}

/// A picture with a palette, 3x1 pixels of indices 2, 0, 1 with 2 bits each whose palette would
/// become colours.
TEST(PictureFileTest, PaletteGivesIds) {
  static constexpr unsigned char kPng[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
      0x52, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x00, 0x00, 0x00, 0x66,
      0x8e, 0xfc, 0x27, 0x00, 0x00, 0x00, 0x09, 0x50, 0x4c, 0x54, 0x45, 0xff, 0x00, 0x00, 0x00,
      0xff, 0x00, 0x00, 0x00, 0xff, 0x2d, 0x4a, 0xcd, 0x8a, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44,
      0x41, 0x54, 0x78, 0x9c, 0x63, 0x68, 0x01, 0x00, 0x00, 0x86, 0x00, 0x85, 0xbc, 0xf5, 0xcd,
      0xd6, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  const TempFolder folder;
  std::ofstream(folder / "p.png", std::ios::binary)
      .write(reinterpret_cast<const char*>(kPng), sizeof(kPng));
  const RawMask mask = read_mask_file(folder / "p.png");
  EXPECT_EQ(mask.width, 3);
  EXPECT_THAT(mask.ids, ElementsAre(2, 0, 1));
}

TEST(PictureFileTest, ColourHasNoIds) {
  const TempFolder folder;
  io::Raster raster{2, 1, 3, image::PixelType::kUint8, {}};
  for (const int v : {4, 4, 4, 0, 0, 0}) raster.pixels.push_back(static_cast<std::byte>(v));
  io::write_png(raster, folder / "a.png", Overwrite::kReplace);
  EXPECT_THAT(read_mask_file(folder / "a.png").ids, ElementsAre(4, 0));
  raster.pixels[1] = std::byte{9};
  io::write_png(raster, folder / "a.png", Overwrite::kReplace);
  EXPECT_THAT(error_of([&] { static_cast<void>(read_mask_file(folder / "a.png")); }),
              HasSubstr("a mask must be grey or have a palette, got colour (4, 9, 4)"));
}

}  // namespace
}  // namespace voxloom::dataset
