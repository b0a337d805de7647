#include "voxloom/dataset/prepare.h"

#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/sha256.h"
#include "voxloom/dataset/picture_file.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::write_grey;

const std::filesystem::path kRossa = std::filesystem::path(VOXLOOM_SOURCE_DIR) / "examples/rossa";

Preparation prepare_folder(const std::filesystem::path& folder, const char* layout = "auto") {
  Progress silent;
  return prepare(find_reader(layout, folder).list(folder), silent, {});
}

TEST(ReadersTest, EveryEntrySaysWhatItIs) {
  std::set<std::string_view> names;
  for (const auto& reader : dataset_readers()) {
    EXPECT_TRUE(names.insert(reader.name).second) << reader.name;
    EXPECT_FALSE(reader.licence.empty() || reader.summary.empty() || reader.layout.empty());
    EXPECT_FALSE(reader.recognises("/nowhere"));
  }
}

TEST(ReadersTest, RossaIsRecognisedAndReadAsBrightVessels) {
  EXPECT_EQ(find_reader("auto", kRossa).name, "rossa");
  const auto made = prepare_folder(kRossa);
  ASSERT_EQ(made.samples.size(), 12U);
  EXPECT_EQ(made.roles.at(Role::kTrain).samples, 8);
  EXPECT_EQ(made.roles.at(Role::kVal).samples, 4);
  const auto& pixels = made.roles.at(Role::kTrain).pixels;
  EXPECT_EQ(pixels[0] + pixels[4], 8 * 320 * 320);
  for (const auto& sample : made.samples) {
    EXPECT_TRUE(sample.bright_object);
    EXPECT_EQ(sample.sha256_image, sha256_file(sample.image));
    EXPECT_EQ(sample.sha256_mask, sha256_file(sample.mask));
    const LabelledImage image = load_sample(sample);
    EXPECT_EQ(image.width, 320);
    EXPECT_EQ(image.mask.size(), 320U * 320U);
  }
  // Natural order.
  EXPECT_EQ(made.samples[0].id, "train_manual/3");
  EXPECT_EQ(made.samples[1].id, "train_manual/17");
}

TEST(ReadersTest, FolderTakesPartsAndSequencesFromNames) {
  const TempFolder folder;
  for (const char* name :
       {"train/%/run3_0001.png", "train/%/run3_0002.png", "val/%/a.png", "test/%/b.png"}) {
    for (const char* kind : {"image", "label"}) {
      std::string path = name;
      path.replace(path.find('%'), 1, kind);
      write_grey(folder / path, 2, 1, {0, 1});
    }
  }
  const auto made = prepare_folder(folder.path());
  ASSERT_EQ(made.samples.size(), 4U);
  EXPECT_EQ(made.samples[1].sequence, "run3");
  EXPECT_EQ(made.samples[1].frame, 2);
  EXPECT_EQ(made.samples[2].sequence, "val/a");
  EXPECT_EQ(made.samples[2].role, Role::kVal);
  EXPECT_EQ(made.samples[3].role, Role::kSealed);
  EXPECT_EQ(made.roles.at(Role::kTrain).pixels[1], 2);
  // Nothing is counted in sealed data.
  EXPECT_EQ(made.roles.at(Role::kSealed).pixels, (std::array<int64_t, 256>{}));
}

TEST(ReadersTest, UnknownLayoutsListTheNames) {
  const TempFolder folder;
  EXPECT_THAT(error_of([&] { static_cast<void>(find_reader("auto", folder.path())); }),
              HasSubstr("must have a known layout, got none of rossa"));
  EXPECT_THAT(error_of([&] { static_cast<void>(find_reader("dicom", folder.path())); }),
              HasSubstr("layout: must be auto or one of rossa"));
  EXPECT_THAT(
      error_of([&] { static_cast<void>(find_reader("rossa", folder.path()).list(folder.path())); }),
      HasSubstr("must hold pictures"));
}

TEST(PrepareTest, TheIdsInUseDecideTheClassMap) {
  const TempFolder folder;
  write_grey(folder / "image/a.png", 2, 2, {9, 9, 9, 9});
  write_grey(folder / "label/a.png", 2, 2, {0, 255, 0, 0});
  EXPECT_EQ(prepare_folder(folder.path()).samples[0].classes,
            binary_class_map(WireClass::kGuidewire));
  write_grey(folder / "label/a.png", 2, 2, {0, 255, 2, 0});
  EXPECT_EQ(prepare_folder(folder.path()).samples[0].classes, unified_class_map());
}

TEST(PrepareTest, EveryProblemIsListed) {
  const TempFolder folder;
  for (const char* name : {"good", "size", "ids", "cut", "alone"}) {
    write_grey(folder / ("image/" + std::string(name) + ".png"), 2, 2, {1, 2, 3, 4});
    write_grey(folder / ("label/" + std::string(name) + ".png"), 2, 2, {0, 1, 0, 1});
  }
  write_grey(folder / "label/size.png", 1, 2, {0, 1});
  write_grey(folder / "label/ids.png", 2, 2, {0, 1, 77, 93});
  std::filesystem::resize_file(folder / "image/cut.png", 40);
  std::filesystem::remove(folder / "label/alone.png");
  write_grey(folder / "label/lost.png", 2, 2, {0, 0, 0, 0});
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_folder(folder.path())); }),
              AllOf(HasSubstr("got 5 problems"),
                    HasSubstr("alone.png': must have a label"),
                    HasSubstr("lost.png': must have an image"),
                    HasSubstr("size of its image 2x2, got 1x2"),
                    HasSubstr("ids.png': mask ids must be known to the class map, got 77, 93"),
                    HasSubstr("cut.png': must be a valid PNG")));
}

TEST(PrepareTest, EmptyMasksAreCounted) {
  const TempFolder folder;
  write_grey(folder / "image/a.png", 2, 1, {9, 9});
  write_grey(folder / "label/a.png", 2, 1, {0, 0});
  EXPECT_EQ(prepare_folder(folder.path()).roles.at(Role::kTrain).empty_masks, 1);
}

TEST(SplitTest, SequencesStayTogetherAndTheSeedDecides) {
  std::vector<Sample> samples(100);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].sequence = "s" + std::to_string(i / 10);
    samples[i].role = i < 90 ? Role::kTrain : Role::kFinetune;
  }
  auto split = samples, again = samples, other = samples;
  split_train(split, 0.33, 1);
  split_train(again, 0.33, 1);
  split_train(other, 0.33, 2);
  std::set<std::string> train, val;
  bool differs = false;
  for (size_t i = 0; i < split.size(); ++i) {
    EXPECT_EQ(split[i].role, again[i].role);
    differs = differs || split[i].role != other[i].role;
    if (split[i].role == Role::kTrain) train.insert(split[i].sequence);
    if (split[i].role == Role::kVal) val.insert(split[i].sequence);
  }
  EXPECT_TRUE(differs);
  EXPECT_EQ(train.size(), 6U);
  EXPECT_EQ(val.size(), 3U);
  EXPECT_EQ(split[95].role, Role::kFinetune);
  for (const auto& name : val) EXPECT_FALSE(train.contains(name));
  EXPECT_THAT(error_of([&] { split_train(samples, 1.0, 0); }), HasSubstr("within (0, 1), got 1"));
  samples.resize(5);
  EXPECT_THAT(error_of([&] { split_train(samples, 0.5, 0); }), HasSubstr("at least two"));
}

}  // namespace
}  // namespace voxloom::dataset
