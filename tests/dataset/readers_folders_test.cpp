// CathAction, MOSXAV and FGA-Net: tiny copies of the published layouts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include "replicas.h"

namespace voxloom::dataset {
namespace {

using ::testing::AllOf;
using testing::error_of;
using testing::has_text;
using ::testing::HasSubstr;
using testing::prepare_set;
using testing::sample_of;
using testing::TempFolder;
using testing::write_file;
using testing::write_grey;
using testing::write_mask_npy;

const std::vector<uint8_t> kGrey{10, 20, 30, 40, 50, 60};

void write_cathaction(const std::filesystem::path& folder) {
  for (const char* part : {"animal_train", "animal_test", "phantom_train", "phantom_test"}) {
    for (const char* name : {"2", "10", "run_0003"}) {
      const auto place = folder / "segmentation" / part;
      write_grey(place / "images" / (std::string(name) + ".png"), 3, 2, kGrey);
      write_mask_npy(place / "masks" / (std::string(name) + ".npy"), 3, 2, {0, 1, 1, 2, 0, 0});
    }
  }
}

TEST(CathActionReaderTest, TestFoldersAreForReportsAndPartsAreSequences) {
  const TempFolder folder;
  const auto root = folder / "cathaction";
  write_cathaction(root);
  EXPECT_EQ(find_reader("auto", root).name, "cathaction");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 12U);
  EXPECT_EQ(made.roles.at(Role::kTrain).samples, 6);
  EXPECT_EQ(made.roles.at(Role::kTrain).sequences, 4);
  EXPECT_EQ(made.roles.at(Role::kValExtra).samples, 6);
  const auto& pixels = made.roles.at(Role::kTrain).pixels;
  EXPECT_EQ(pixels[static_cast<size_t>(WireClass::kCatheter)], 12);
  EXPECT_EQ(pixels[static_cast<size_t>(WireClass::kGuidewire)], 6);
  EXPECT_EQ(sample_of(made, "animal_train/10").sequence, "animal_train");
  EXPECT_EQ(sample_of(made, "animal_train/10").frame, 10);
  EXPECT_EQ(sample_of(made, "animal_train/run_0003").sequence, "animal_train/run");
  EXPECT_EQ(made.samples[0].id, "animal_train/2");
  EXPECT_TRUE(has_text(made.notes, "phantom_test: the published set has 3685 frames, got 3"));
  EXPECT_TRUE(
      has_text(made.notes, "animal_train: the published set has 1492425 pixels of id 2, got 3"));
}

TEST(CathActionReaderTest, HumanFramesSayDeviceOnly) {
  const TempFolder folder;
  const auto root = folder / "cathaction";
  const auto place = root / "human_dataset_train";
  for (const char* name : {"case7_img-00012", "case7_img-00013", "case8_img-00001"}) {
    write_grey(place / "img" / (std::string(name) + ".png"), 3, 2, kGrey);
    write_grey(place / "mask" / (std::string(name) + "_mask.png"), 3, 2, {0, 255, 0, 0, 0, 0});
  }
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 3U);
  EXPECT_EQ(made.samples[1].sequence, "human_dataset_train/case7");
  EXPECT_EQ(made.samples[1].frame, 13);
  EXPECT_EQ(made.roles.at(Role::kTrain).pixels[static_cast<size_t>(WireClass::kDevice)], 3);
}

TEST(CathActionReaderTest, BadMasksAreListed) {
  const TempFolder folder;
  const auto root = folder / "cathaction";
  write_cathaction(root);
  const auto masks = root / "segmentation/animal_train/masks";
  std::filesystem::remove(masks / "2.npy");
  write_mask_npy(masks / "10.npy", 2, 3, {0, 1, 1, 2, 0, 0});
  write_mask_npy(masks / "run_0003.npy", 3, 2, {0, 1, 1, 3, 0, 0});
  const auto cut = root / "segmentation/phantom_train/masks/2.npy";
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 2);
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              AllOf(HasSubstr("got 4 problems"),
                    HasSubstr("2.png': must have a label of the same name"),
                    HasSubstr("size of its image 3x2, got 2x3"),
                    HasSubstr("run_0003.npy': mask ids must be known to the class map, got 3"),
                    HasSubstr("phantom_train/masks/2.npy")));
  const TempFolder empty;
  std::filesystem::create_directories(empty / "segmentation/animal_train/images");
  std::filesystem::create_directories(empty / "segmentation/animal_train/masks");
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(empty.path())); }),
              HasSubstr("must hold segmentation/"));
}

// --- MOSXAV ---------------------------------------------------------------------------------

/// A palette PNG, as MOSXAV's masks are: the pixel is the id, the colour is for the eye.
void write_palette(const std::filesystem::path& path, const std::vector<uint8_t>& ids, int width) {
  std::filesystem::create_directories(path.parent_path());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(static_cast<int>(ids.size()) / width);
  image.format = PNG_FORMAT_RGB_COLORMAP;
  image.colormap_entries = 6;
  const uint8_t colours[] = {
      0, 0, 0, 85, 170, 255, 170, 255, 0, 249, 193, 0, 255, 0, 0, 244, 108, 59};
  ASSERT_NE(png_image_write_to_file(&image, path.c_str(), 0, ids.data(), 0, colours), 0);
}

void write_mosxav(const std::filesystem::path& folder) {
  for (const char* sequence : {"trainval/v00", "trainval/v02", "test/v00"}) {
    const std::filesystem::path path(sequence);
    for (int frame = 0; frame < 6; ++frame) {
      const std::string name = "0000" + std::to_string(frame);
      const auto part = folder / path.parent_path();
      write_grey(part / "JPEGImages" / path.filename() / (name + ".png"), 3, 2, kGrey);
      if (path.parent_path() == "trainval" && frame % 5 != 0) continue;
      const uint8_t last = path.parent_path() == "test" ? 5 : 4;
      write_palette(part / "Annotations_Semantic" / path.filename() / (name + ".png"),
                    {0, 1, 2, 3, 3, last},
                    3);
    }
  }
}

TEST(MosxavReaderTest, TrainvalIsFinetuneAndTestIsValidation) {
  const TempFolder folder;
  const auto root = folder / "mosxav";
  write_mosxav(root);
  EXPECT_EQ(find_reader("auto", root).name, "mosxav");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 10U);
  const auto& tune = made.roles.at(Role::kFinetune);
  EXPECT_EQ(tune.samples, 4);
  EXPECT_EQ(tune.sequences, 2);
  EXPECT_EQ(tune.pixels[static_cast<size_t>(WireClass::kVessel)], 4);
  EXPECT_EQ(tune.pixels[static_cast<size_t>(WireClass::kCatheter)], 12);
  EXPECT_EQ(tune.pixels[static_cast<size_t>(WireClass::kOtherDevice)], 4);
  EXPECT_EQ(made.roles.at(Role::kVal).pixels[static_cast<size_t>(WireClass::kIgnore)], 6);
  EXPECT_EQ(tune.pixels[static_cast<size_t>(WireClass::kGuidewire)], 0);
  EXPECT_EQ(sample_of(made, "trainval/v02/00005").sequence, "v02");
  EXPECT_EQ(sample_of(made, "trainval/v02/00005").frame, 5);
  EXPECT_TRUE(has_text(made.notes, "trainval: the published set has 30 sequences, got 2"));
  EXPECT_TRUE(has_text(made.notes, "test/v00: the published set has 50 frames, got 6"));
  EXPECT_TRUE(has_text(made.remarks, "trainval: 8 frames have no mask"));
}

TEST(MosxavReaderTest, EveryTestFrameMustHaveItsMask) {
  const TempFolder folder;
  const auto root = folder / "mosxav";
  write_mosxav(root);
  std::filesystem::remove(root / "test/Annotations_Semantic/v00/00003.png");
  std::filesystem::remove(root / "trainval/JPEGImages/v00/00005.png");
  write_palette(root / "trainval/Annotations_Semantic/v02/00000.png", {0, 0, 0, 0, 0, 0}, 2);
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              AllOf(HasSubstr("got 3 problems"),
                    HasSubstr("test/JPEGImages/v00/00003.png': must have a mask"),
                    HasSubstr("v00/00005.png': must have an image of the same name"),
                    HasSubstr("size of its image 3x2, got 2x3")));
}

// --- FGA-Net --------------------------------------------------------------------------------

TEST(FgaNetReaderTest, EverythingIsSealed) {
  const TempFolder folder;
  const auto root = folder / "data";
  for (const char* part : {"train", "test"}) {
    const auto place = root / "guidewire2024" / part;
    write_grey(place / "images/p1_0001.png", 3, 2, kGrey);
    write_grey(place / "masks/p1_0001.png", 3, 2, {0, 255, 0, 0, 0, 0});
  }
  EXPECT_EQ(find_reader("auto", root).name, "fga-net");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 2U);
  for (const auto& sample : made.samples) {
    EXPECT_EQ(sample.role, Role::kSealed);
    EXPECT_EQ(sample.dataset, "FGANet");
    EXPECT_EQ(sample.classes[255], static_cast<uint8_t>(WireClass::kGuidewire));
  }
  // The same folders under another name are somebody else's.
  std::filesystem::rename(root / "guidewire2024", root / "mine");
  EXPECT_THAT(error_of([&] { static_cast<void>(find_reader("auto", root / "mine")); }),
              HasSubstr("known layout"));
  EXPECT_EQ(prepare_set(root / "mine", "fga-net").samples.size(), 2U);
}

}  // namespace
}  // namespace voxloom::dataset
