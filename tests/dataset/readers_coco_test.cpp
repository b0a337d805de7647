// COCO JSON, ARCADE and Guide3D: sets whose masks are made from outlines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/dataset/guide3d.h"
#include "voxloom/dataset/picture_file.h"

#include "replicas.h"

namespace voxloom::dataset {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using testing::error_of;
using testing::has_text;
using ::testing::HasSubstr;
using testing::prepare_set;
using testing::sample_of;
using testing::TempFolder;
using testing::write_file;
using testing::write_grey;

const std::vector<uint8_t> kGrey(64, 90);

/// Images 1.png ... N.png of 8x8 with one square of 2x2 each, of category `category`.
std::string square_json(int count, int category, const std::string& categories) {
  std::string images, annotations;
  for (int i = 1; i <= count; ++i) {
    const std::string n = std::to_string(i), comma = i == 1 ? "" : ",";
    images += comma + R"({"id":)" + n + R"(,"file_name":")" + n + R"(.png","width":8,"height":8})";
    annotations += comma + R"({"id":)" + n + R"(,"image_id":)" + n + R"(,"category_id":)" +
                   std::to_string(category) +
                   R"(,"iscrowd":0,"area":4,"bbox":[1,1,2,2],"segmentation":[[1,1,3,1,3,3,1,3]]})";
  }
  return R"({"images":[)" + images + R"(],"annotations":[)" + annotations + R"(],"categories":[)" +
         categories + "]}";
}

/// A tiny copy of ARCADE's first phase and its test part.
void write_arcade(const std::filesystem::path& folder) {
  std::string categories;
  for (int id = 1; id <= 26; ++id) {
    categories += (id == 1 ? "" : ",") + (R"({"id":)" + std::to_string(id)) + R"(,"name":")" +
                  (id == 26 ? "stenosis" : std::to_string(id)) + "\"}";
  }
  for (const char* part : {"dataset_phase_1/segmentation_dataset/seg_train/annotations/seg_train",
                           "dataset_phase_1/segmentation_dataset/seg_val/annotations/seg_val",
                           "dataset_final_phase/test_case_segmentation/annotations/"
                           "instances_default"}) {
    const std::filesystem::path json = folder / (std::string(part) + ".json");
    write_file(json, square_json(2, 5, categories));
    for (const char* name : {"1.png", "2.png"}) {
      write_grey(json.parent_path().parent_path() / "images" / name, 8, 8, kGrey);
    }
  }
}

TEST(ArcadeReaderTest, SegmentsBecomeVessels) {
  const TempFolder folder;
  const auto root = folder / "arcade";
  write_arcade(root);
  EXPECT_EQ(find_reader("auto", root).name, "arcade");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 6U);
  EXPECT_EQ(sample_of(made, "seg_train/1").role, Role::kTrain);
  EXPECT_EQ(sample_of(made, "seg_val/2").role, Role::kVal);
  EXPECT_EQ(sample_of(made, "test_case_segmentation/1").role, Role::kValExtra);
  const auto& counts = made.roles.at(Role::kTrain);
  EXPECT_EQ(counts.pixels[static_cast<size_t>(WireClass::kVessel)], 8);
  EXPECT_EQ(counts.sequences, 2);
  const auto image = load_sample(made.samples[0]);
  EXPECT_EQ(image.mask[9], static_cast<uint8_t>(WireClass::kVessel));
  EXPECT_EQ(made.samples[0].classes[26], static_cast<uint8_t>(WireClass::kIgnore));
  EXPECT_TRUE(has_text(made.notes, "seg_train: the published set has 1000 images, got 2"));
}

TEST(ArcadeReaderTest, TruncatedJsonAndMissingImagesAreNamed) {
  const TempFolder folder;
  const auto root = folder / "arcade";
  write_arcade(root);
  std::filesystem::remove(root / "dataset_phase_1/segmentation_dataset/seg_val/images/2.png");
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              AllOf(HasSubstr("got 1 problems"),
                    HasSubstr("seg_val.json': image '2.png': must be in one of its folders")));
  // Nothing is left behind.
  EXPECT_TRUE(std::filesystem::is_empty(root.string() + "-out"));
  const auto json =
      root / "dataset_phase_1/segmentation_dataset/seg_train/annotations/seg_train.json";
  std::filesystem::resize_file(json, std::filesystem::file_size(json) / 2);
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              AllOf(HasSubstr("seg_train.json"), HasSubstr("must be valid JSON")));
}

TEST(CocoReaderTest, RolesComeFromNamesAndClassesFromCategories) {
  const TempFolder folder;
  const auto root = folder / "mine";
  const std::string categories =
      R"({"id":1,"name":"Guide-Wire"},{"id":2,"name":"catheter"},{"id":3,"name":"rib"})";
  for (const char* split : {"train", "val", "test"}) {
    write_file(root / "annotations" / (std::string("instances_") + split + "2017.json"),
               square_json(1, split[0] == 'v' ? 2 : 1, categories));
    write_grey(root / (std::string(split) + "2017") / "1.png", 8, 8, kGrey);
  }
  write_file(root / "annotations/captions_train2017.json", "{}");
  EXPECT_EQ(find_reader("auto", root).name, "coco");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 3U);
  EXPECT_EQ(sample_of(made, "train2017/1").role, Role::kTrain);
  EXPECT_EQ(sample_of(made, "val2017/1").role, Role::kVal);
  const auto& sealed = sample_of(made, "test2017/1");
  EXPECT_EQ(sealed.role, Role::kSealed);
  EXPECT_THAT(sealed.mask.string(), HasSubstr("set_files/sealed/"));
  EXPECT_EQ(std::filesystem::status(root.string() + "-out/set_files/sealed").permissions(),
            std::filesystem::perms::owner_all);
  EXPECT_EQ(made.roles.at(Role::kTrain).pixels[1], 4);
  EXPECT_EQ(made.roles.at(Role::kVal).pixels[2], 4);
}

TEST(CocoReaderTest, UnknownCategoriesNeedAMeaning) {
  const TempFolder folder;
  const auto root = folder / "mine";
  write_file(root / "train/_annotations.coco.json", square_json(1, 3, R"({"id":3,"name":"rib"})"));
  write_grey(root / "train/1.png", 8, 8, kGrey);
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              HasSubstr("mask ids must be known to the class map, got 3"));
}

TEST(CocoReaderTest, NamesMustStayInsideAndSizesFit) {
  const TempFolder folder;
  const auto root = folder / "mine";
  std::string json = square_json(1, 1, R"({"id":1,"name":"wire"})");
  json.replace(json.find("1.png"), 5, "../1.png");
  write_file(root / "instances_train.json", json);
  write_grey(root / "1.png", 8, 8, kGrey);
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              HasSubstr("must lead to a file inside the data set, got '../1.png'"));
  write_file(root / "instances_train.json", square_json(1, 1, R"({"id":1,"name":"wire"})"));
  write_grey(root / "1.png", 4, 8, {kGrey.begin(), kGrey.begin() + 32});
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              HasSubstr("size of its image 4x8, got 8x8"));
  write_file(root / "instances_train.json", R"({"images":[],"annotations":[],"categories":[]})");
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }), HasSubstr("must hold"));
}

TEST(PictureExportTest, ReplacesOnlyWhatItMade) {
  const TempFolder folder;
  const auto root = folder / "arcade";
  write_arcade(root);
  static_cast<void>(prepare_set(root));
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
              HasSubstr("set_files': exists already; use --force"));
  const auto again = prepare_set(root, "arcade", Overwrite::kReplace);
  EXPECT_TRUE(std::filesystem::exists(again.samples[0].mask));
  const std::filesystem::path files = root.string() + "-out/set_files";
  std::filesystem::remove(files / ".voxloom-export");
  EXPECT_THAT(
      error_of([&] { static_cast<void>(prepare_set(root, "arcade", Overwrite::kReplace)); }),
      HasSubstr("must be one that an earlier run made"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root.string() + "-out"), {}), 1);
}

TEST(KeepSamplesTest, WhatIsMadeFollowsItsSample) {
  const TempFolder folder;
  const auto root = folder / "arcade";
  write_arcade(root);
  auto listing = find_reader("auto", root).list(root);
  ASSERT_EQ(listing.samples.size(), 6U);
  keep_samples(listing, {false, true, false, true, true, false});
  ASSERT_EQ(listing.made.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(listing.made[i].sample, i);
    EXPECT_EQ(listing.made[i].name, "mask/" + listing.samples[i].id);
  }
}

// --- Guide3D --------------------------------------------------------------------------------

constexpr const char* kRaw = R"([{"task":"1-bca-angle-5","frame_count":2,"frames":[
  {"frame_number":0,
   "cameraA":{"image":"1-bca-angle-5-1/000.png","points":[[9,2],[1,2]]},
   "cameraB":{"image":"1-bca-angle-5-2/000.png","points":[[4,0],[4,15]]}},
  {"frame_number":1,
   "cameraA":{"image":"1-bca-angle-5-1/001.png","points":[[3,3],[3,9],[9,9]]},
   "cameraB":{"image":"1-bca-angle-5-2/001.png","points":[]}}]}])";

void write_guide3d(const std::filesystem::path& folder) {
  write_file(folder / "raw.json", kRaw);
  const std::vector<uint8_t> grey(256, 100);
  for (const char* name : {"1/000", "1/001", "2/000", "2/001"}) {
    write_grey(folder / ("1-bca-angle-5-" + std::string(name) + ".png"), 16, 16, grey);
  }
}

TEST(Guide3dReaderTest, BothViewsAreOneSequenceAndMasksTwoPixelsWide) {
  const TempFolder folder;
  const auto root = folder / "guide3d";
  write_guide3d(root);
  EXPECT_EQ(find_reader("auto", root).name, "guide3d");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 3U);
  EXPECT_TRUE(has_text(made.remarks, "1 pictures have no line"));
  for (const auto& sample : made.samples) EXPECT_EQ(sample.sequence, "1-bca-angle-5");
  EXPECT_EQ(made.samples[1].frame, 1);
  EXPECT_EQ(made.samples[2].frame, 2);  // The first of camera B.
  EXPECT_EQ(made.samples[2].subset, "camera B");
  // From (1, 2) to (9, 2), pixel centres: rows 1 to 3, and the round ends.
  const auto image = load_sample(made.samples[0]);
  int64_t inside = 0;
  for (const uint8_t id : image.mask) inside += id == static_cast<uint8_t>(WireClass::kGuidewire);
  EXPECT_EQ(inside, 3 * 9 + 2);
  EXPECT_EQ(image.mask[1 * 16 + 5], 1);
  EXPECT_EQ(image.mask[4 * 16 + 5], 0);
}

TEST(Guide3dReaderTest, SplinesAreSampledAsCurves) {
  // A straight line and a cubic Bezier curve, which is a B-spline without inner knots.
  const std::string text = R"([{"task":"t","frames":[{"frame_number":3,
    "camera1":{"image":"a.png","tck":{"t":[0,0,5,5],"c":[[1,11],[2,2]],"k":1}},
    "camera2":{"image":"b.png","tck":{"t":[0,0,0,0,1,1,1,1],"c":[[0,0,8,8],[0,8,8,0]],"k":3}}}]}])";
  const auto videos = parse_guide3d(text, "f");
  ASSERT_EQ(videos.size(), 1U);
  EXPECT_EQ(videos[0].frame_count, 4);
  const auto& a = videos[0].frames[0].a->line;
  EXPECT_EQ(a.front(), (image::Point2{1.5, 2.5}));
  EXPECT_EQ(a.back(), (image::Point2{11.5, 2.5}));
  const auto& b = videos[0].frames[0].b->line;
  for (size_t i = 0; i < b.size(); ++i) {
    const double u = static_cast<double>(i) / static_cast<double>(b.size() - 1), v = 1.0 - u;
    EXPECT_NEAR(b[i][0], 0.5 + 8.0 * (3.0 * v * u * u + u * u * u), 1e-12);
    EXPECT_NEAR(b[i][1], 0.5 + 8.0 * (3.0 * v * v * u + 3.0 * v * u * u), 1e-12);
  }
}

TEST(Guide3dReaderTest, BadAnnotationsAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {std::string(kRaw).substr(0, 100), "must be valid JSON"},
      {R"({"frames":[]})", "'videos': must be a list"},
      {R"([{"task":"t","frames":[{"frame_number":-1}]}])", "video 't' after 0 frames"},
      {R"([{"frames":[{"frame_number":0,"cameraA":{"image":"a"}}]}])", "'points' or 'tck'"},
      {R"([{"frames":[{"frame_number":0,"cameraA":{"image":"a","points":[[1,2,3]]}}]}])", "pairs"},
      {R"([{"frames":[{"frame_number":0,"cameraA":{"image":"a","points":[[1,1e30]]}}]}])", "1e+30"},
      {R"([{"frames":[{"frame_number":0,"cameraA":{"image":"a","tck":)"
       R"({"t":[0,0,1],"c":[[1,2],[1,2]],"k":1}}}]}])",
       "must have 1 control points"},
      {R"([{"frames":[{"frame_number":0,"cameraA":{"image":"a","tck":)"
       R"({"t":[0,0,0,0],"c":[[1,2],[1,2]],"k":1}}}]}])",
       "knots must rise"}};
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(error_of([&, json = text] { static_cast<void>(parse_guide3d(json, "f")); }),
                HasSubstr(message))
        << text;
  }
  const TempFolder folder;
  write_guide3d(folder / "g");
  std::filesystem::remove(folder / "g/1-bca-angle-5-2/000.png");
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(folder / "g")); }),
              HasSubstr("image '1-bca-angle-5-2/000.png': must be there"));
}

}  // namespace
}  // namespace voxloom::dataset
