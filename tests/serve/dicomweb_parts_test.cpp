// What the DICOMweb datastore is made of, without a server.
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/datastore/dicomweb_catalog.h"
#include "voxloom/serve/datastore/fetch_cache.h"
#include "voxloom/serve/datastore/label_check.h"
#include "voxloom/serve/datastore/label_info.h"
#include "voxloom/serve/datastore/local_labels.h"

using namespace voxloom;         // NOLINT(*-using-namespace)
using namespace voxloom::serve;  // NOLINT(*-using-namespace)
namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::Pair;

namespace {

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "voxloom-parts-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
  CancelToken stop_;
};

class FetchCacheTest : public FolderTest {
 protected:
  // A folder of two files with `bytes` together.
  FetchCache::Fetch folder_of(size_t bytes) {
    return [this, bytes](const fs::path& temporary) {
      ++fetched_;
      fs::create_directory(temporary);
      std::ofstream(temporary / "a") << std::string(bytes / 2, 'a');
      std::ofstream(temporary / "b") << std::string(bytes - bytes / 2, 'b');
    };
  }
  FetchCache::Options options(uint64_t max_bytes, int keep_seconds = 0) const {
    return {folder_, max_bytes, std::chrono::seconds(keep_seconds)};
  }
  int fetched_ = 0;
};

template <class Work>
ErrorCode code_of(Work&& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

}  // namespace

TEST_F(FetchCacheTest, FetchesOnceAndAgainInAnotherVersion) {
  FetchCache cache(options(1000));
  EXPECT_EQ(cache.get("1.2", 2, stop_, folder_of(10)), folder_ / "1.2");
  static_cast<void>(cache.get("1.2", 2, stop_, folder_of(10)));
  static_cast<void>(cache.get("1.2", 0, stop_, folder_of(10)));
  EXPECT_EQ(fetched_, 1);
  static_cast<void>(cache.get("1.2", 3, stop_, folder_of(20)));
  EXPECT_EQ(fetched_, 2);
  EXPECT_EQ(cache.bytes(), 20U);
}

TEST_F(FetchCacheTest, TheLongestUnusedGoFirst) {
  FetchCache cache(options(100));
  for (const char* name : {"1", "2", "3"})
    static_cast<void>(cache.get(name, 0, stop_, folder_of(30)));
  static_cast<void>(cache.get("1", 0, stop_, folder_of(30)));
  static_cast<void>(cache.get("4", 0, stop_, folder_of(30)));
  EXPECT_EQ(cache.bytes(), 90U);
  EXPECT_FALSE(cache.contains("2"));
  EXPECT_FALSE(fs::exists(folder_ / "2"));
  for (const char* name : {"1", "3", "4"}) EXPECT_TRUE(fs::exists(folder_ / name)) << name;
}

TEST_F(FetchCacheTest, WhatWasJustHandedOutStays) {
  FetchCache cache(options(10, 3600));
  static_cast<void>(cache.get("1", 0, stop_, folder_of(30)));
  static_cast<void>(cache.get("2", 0, stop_, folder_of(30)));
  EXPECT_TRUE(fs::exists(folder_ / "1"));
  EXPECT_TRUE(fs::exists(folder_ / "2"));
}

TEST_F(FetchCacheTest, AFailedFetchLeavesNothingAndMayBeTriedAgain) {
  FetchCache cache(options(1000));
  EXPECT_EQ(code_of([&] {
              static_cast<void>(cache.get("1", 0, stop_, [&](const fs::path& temporary) {
                folder_of(10)(temporary);
                throw Error(ErrorCode::kUnavailable, "gone");
              }));
            }),
            ErrorCode::kUnavailable);
  EXPECT_TRUE(fs::is_empty(folder_));
  static_cast<void>(cache.get("1", 0, stop_, folder_of(10)));
  EXPECT_TRUE(cache.contains("1"));
}

TEST_F(FetchCacheTest, ARestartFindsWhatIsWholeAndRemovesWhatIsNot) {
  static_cast<void>(FetchCache(options(1000)).get("1.2", 2, stop_, folder_of(10)));
  fs::create_directory(folder_ / ".fetch-999999999-1-3.4");
  FetchCache cache(options(1000));
  EXPECT_FALSE(fs::exists(folder_ / ".fetch-999999999-1-3.4"));
  static_cast<void>(cache.get("1.2", 2, stop_, folder_of(10)));  // Two files: version 2.
  EXPECT_EQ(fetched_, 1);
  EXPECT_EQ(cache.bytes(), 10U);
}

TEST(GridCheck, AllowsSinglePrecisionAndNothingElse) {
  image::Geometry image;
  image.size = {4, 5, 6};
  image.spacing_mm = {0.5, 0.5, 3};
  image.origin_mm = {-123.456, 7, 9};
  image::Geometry label = image;
  label.origin_mm[0] += 1e-4;
  EXPECT_NO_THROW(check_label_grid(label, image, 0.1));
  label.origin_mm[0] += 0.1;
  EXPECT_EQ(code_of([&] { check_label_grid(label, image, 0.1); }), ErrorCode::kInvalidArgument);
  label = image;
  label.size[2] = 7;
  EXPECT_EQ(code_of([&] { check_label_grid(label, image, 0.1); }), ErrorCode::kInvalidArgument);
}

TEST(LabelInfo, NamesColoursAndCodesReachTheSegments) {
  image::Geometry g;
  g.size = {2, 2, 1};
  image::LabelVolume labels(g);
  labels.voxels()[1] = 4;
  labels.voxels()[2] = 9;
  const Json info = Json::parse(R"({"model": "SAM", "label_info": [
    {"name": "spleen", "idx": 4, "color": [0, 128, 255], "model_name": "own",
     "segmentAttribute": {"SegmentedPropertyTypeCodeSequence":
       {"CodeValue": "78961009", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Spleen"}}},
    "garbage", {"name": "x", "labelID": 70000}, {"name": "liver", "labelID": 9, "color": [1.0, 0, 0]}]})");
  const io::SegOptions options = seg_options(info, labels);
  EXPECT_EQ(options.algorithm_name, "SAM");
  EXPECT_EQ(labels.labels, (std::vector<image::Label>{{4, "spleen"}, {9, "liver"}}));
  ASSERT_EQ(options.segments.size(), 2U);
  EXPECT_EQ(options.segments[0].rgb, (std::array<uint8_t, 3>{0, 128, 255}));
  EXPECT_EQ(options.segments[0].type->meaning, "Spleen");
  EXPECT_FALSE(options.segments[0].category.has_value());
  EXPECT_EQ(options.segments[0].algorithm_name, "own");
  EXPECT_EQ(options.segments[1].rgb, (std::array<uint8_t, 3>{255, 0, 0}));

  // Without values: in the order of those that occur.
  labels.labels.clear();
  static_cast<void>(
      seg_options(Json::parse(R"({"label_info": [{"name": "a"}, {"name": "b"}]})"), labels));
  EXPECT_EQ(labels.labels, (std::vector<image::Label>{{4, "a"}, {9, "b"}}));
  EXPECT_TRUE(seg_options(Json::parse(R"({"label_info": 3})"), labels).segments.empty());
}

TEST(SearchFilters, AreOneOrSeveralQueries) {
  EXPECT_THAT(parse_search_filters(R"({"Modality": "CT"})"),
              ElementsAre(ElementsAre(Pair("Modality", "CT"))));
  EXPECT_THAT(parse_search_filters(R"({"Modality": ["CT", "MR"], "PatientID": "A*"})"),
              ElementsAre(ElementsAre(Pair("Modality", "CT"), Pair("PatientID", "A*")),
                          ElementsAre(Pair("Modality", "MR"), Pair("PatientID", "A*"))));
  EXPECT_EQ(parse_search_filters(R"([{"Modality": "CT"}, {}])").size(), 2U);
  for (const char* bad : {"", "3", "[]", "[1]", "{\"Modality\": 1}", "{\"Modality\": []}"}) {
    EXPECT_EQ(code_of([&] { static_cast<void>(parse_search_filters(bad)); }),
              ErrorCode::kInvalidArgument)
        << bad;
  }
}

TEST(RemoteCatalogTest, TheNewestSegmentationIsLast) {
  RemoteCatalog catalog;
  catalog.add({.image_series_uid = "1", .sop_uid = "a", .made = "20240101120000.5"});
  catalog.add({.image_series_uid = "1", .sop_uid = "b", .made = "20230101120000"});
  catalog.add({.image_series_uid = "1", .sop_uid = "a", .made = "20990101"});
  ASSERT_EQ(catalog.segmentations["1"].size(), 2U);
  EXPECT_EQ(catalog.segmentations["1"].back().sop_uid, "a");
}

class LocalLabelsTest : public FolderTest {};

TEST_F(LocalLabelsTest, ALabelInAnotherFormatTakesThePlaceOfTheOld) {
  LocalLabels labels(folder_);
  const auto save = [&](const std::string& ext) {
    std::ofstream(folder_ / "up") << ext;
    labels.save("1.2", "original", folder_ / "up", ext, {{"ext", ext}});
  };
  save(".nrrd");
  save(".nii.gz");
  EXPECT_FALSE(fs::exists(folder_ / "up"));
  EXPECT_FALSE(fs::exists(folder_ / "labels/original/1.2.nrrd"));
  const LocalLabels again(folder_);
  ASSERT_EQ(again.labels("1.2").size(), 1U);
  EXPECT_EQ(again.labels("1.2")[0].ext, ".nii.gz");
  EXPECT_EQ(again.labels("1.2")[0].info["ext"], ".nii.gz");
  EXPECT_EQ(code_of([&] { static_cast<void>(again.label_path("1.2", "none")); }),
            ErrorCode::kNotFound);
}

TEST_F(LocalLabelsTest, AMissingOrBrokenInfoFileCostsNoLabel) {
  fs::create_directories(folder_ / "labels/original");
  fs::create_directories(folder_ / "info");
  std::ofstream(folder_ / "labels/original/1.2.nii.gz") << "x";
  std::ofstream(folder_ / "info/1.2.json") << "{\"image\": ";
  const LocalLabels labels(folder_);
  ASSERT_EQ(labels.labels("1.2").size(), 1U);
  EXPECT_TRUE(labels.image_info("1.2").empty());
}
