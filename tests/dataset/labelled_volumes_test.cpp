// The layouts in which labelled volumes come.
#include "voxloom/dataset/labelled_volumes.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LabelledVolumesTest : public ::testing::Test {
 protected:
  LabelledVolumesTest() {
    std::string name = (fs::temp_directory_path() / "voxloom-volumes-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~LabelledVolumesTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  void write(const std::string& name, const std::string& text = "x") const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  /// What the reader says.
  [[nodiscard]] std::string failure(const fs::path& data) const {
    try {
      static_cast<void>(read_labelled_volumes(data));
    } catch (const Error& e) {
      return e.what();
    }
    return {};
  }
  fs::path folder_;
};

TEST_F(LabelledVolumesTest, PairsHaveEqualNames) {
  for (const char* name : {"image/b.nii.gz", "label/b.nii.gz", "image/a.nrrd", "label/a.nrrd"}) {
    write(name);
  }
  EXPECT_THAT(
      read_labelled_volumes(folder_),
      ElementsAre(
          LabelledVolume{"a", folder_ / "image/a.nrrd", folder_ / "label/a.nrrd", Role::kNone},
          LabelledVolume{
              "b", folder_ / "image/b.nii.gz", folder_ / "label/b.nii.gz", Role::kNone}));
  write("image/c.nrrd");
  write("label/d.nrrd");
  EXPECT_THAT(failure(folder_), HasSubstr("without partner: image/c.nrrd label/d.nrrd"));
}

TEST_F(LabelledVolumesTest, ADatastoreGivesImagesWithAFinalLabel) {
  write("case.1.nii.gz");
  write("case.2.nii.gz");
  write("series/slice.dcm");
  write("datastore_v2.json", "{}");
  write("labels/final/case.1.nii.gz");
  write("labels/final/series.nrrd");
  write("labels/original/case.2.nii.gz");
  EXPECT_THAT(
      read_labelled_volumes(folder_),
      ElementsAre(
          LabelledVolume{"case.1",
                         folder_ / "case.1.nii.gz",
                         folder_ / "labels/final/case.1.nii.gz",
                         Role::kNone},
          LabelledVolume{
              "series", folder_ / "series", folder_ / "labels/final/series.nrrd", Role::kNone}));
  write("labels/final/gone.nii.gz");
  EXPECT_THAT(failure(folder_), HasSubstr("needs an image; without partner: labels/final/gone"));
}

TEST_F(LabelledVolumesTest, NpzFilesHoldBoth) {
  write("a.npz");
  write("notes.txt");
  EXPECT_THAT(read_labelled_volumes(folder_),
              ElementsAre(LabelledVolume{"a", folder_ / "a.npz", folder_ / "a.npz", Role::kNone}));
}

TEST_F(LabelledVolumesTest, JsonGivesRolesAndRelativePaths) {
  write("i.nii");
  write("l.nii");
  const std::string files = R"("image": "i.nii", "label": "l.nii")";
  write("set.json",
        R"({"cases": [{"id": "t", )" + files + R"(, "role": "train"}, {"id": "v", )" + files +
            R"(, "role": "val"}, {"id": "n", )" + files + "}]}");
  const auto list = read_labelled_volumes(folder_ / "set.json");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].role, Role::kTrain);
  EXPECT_EQ(list[1].role, Role::kVal);
  EXPECT_EQ(list[2].role, Role::kNone);
  EXPECT_EQ(list[0].image, folder_ / "i.nii");
  write("bad.json", R"({"cases": [{"id": "t"}]})");
  EXPECT_THAT(failure(folder_ / "bad.json"), HasSubstr("manifest"));
  write("absent.json", R"({"cases": [{"id": "t", "image": "i.nii", "label": "none.nii"}]})");
  EXPECT_THAT(failure(folder_ / "absent.json"), HasSubstr("none.nii"));
  EXPECT_THAT(failure(folder_ / "nowhere"), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace voxloom::dataset
