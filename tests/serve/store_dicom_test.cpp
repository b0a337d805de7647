// The folder datastore with DICOM series.
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/local_datastore.h"
#include "voxloom/serve/datastore/open_image.h"

#include "../io/dicom_fixture.h"

namespace voxloom::serve {
namespace {

class StoreDicomTest : public io::DicomTest {
 protected:
  [[nodiscard]] std::unique_ptr<LocalDatastore> open() const {
    auto store = std::make_unique<LocalDatastore>(
        LocalDatastoreOptions{.folder = folder_, .read_only = false, .watch = false});
    store->refresh();
    return store;
  }
};

TEST_F(StoreDicomTest, ASeriesIsAnImage) {
  write_series(3, {}, "patient/ct");
  write_series(
      2, [](int, io::DicomSliceSpec& s) { s.series_uid = "9.8.7"; }, "patient/both");
  const auto series = [](int z, io::DicomSliceSpec& s) {
    s.series_uid = "5.5";
    s.instance = z + 10;
  };
  for (int z = 0; z < 2; ++z) {
    io::DicomSliceSpec spec;
    spec.z_mm = 2.0 * z;
    series(z, spec);
    io::write_slice(
        folder_ / "patient/both" / ("t" + std::to_string(z)), spec, io::slice_values(z));
  }
  const auto store = open();
  EXPECT_EQ(store->image_ids(), (std::vector<std::string>{"1.2.3.4", "5.5", "9.8.7"}));
  const auto record = store->find("1.2.3.4");
  EXPECT_EQ(record->ext, "");
  EXPECT_EQ(record->info.at("SeriesInstanceUID"), "1.2.3.4");
  EXPECT_EQ(record->info.at("StudyInstanceUID"), "1.2.3");
  EXPECT_EQ(record->info.at("Modality"), "CT");
  EXPECT_EQ(record->info.at("path"), "patient/ct");
  EXPECT_EQ(record->info.dump().find("ecret"), std::string::npos) << "the patient's name";
  EXPECT_EQ(store->image_path("1.2.3.4", {}), folder_ / "patient/ct");
  EXPECT_EQ(open_image(*store, "1.2.3.4")->geometry().size[2], 3);
  EXPECT_EQ(open_image(*store, "9.8.7")->geometry().size[2], 2);
  EXPECT_EQ(open_image(*store, "5.5")->geometry().size[2], 2);
  EXPECT_EQ(store->image_checksum("5.5"), "");

  store->remove_image("5.5");
  EXPECT_EQ(store->image_ids(), (std::vector<std::string>{"1.2.3.4", "9.8.7"}));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "patient/both/s1.dcm"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "patient/both/t0"));
}

TEST_F(StoreDicomTest, ASeriesKeepsItsLabelWhenItsFolderMovesAndHeadersAreReadOnce) {
  write_series(3, {}, "ct");
  {
    const auto store = open();
    const auto grid = open_image(*store, "1.2.3.4")->geometry();
    io::write_volume(image::Volume(grid, image::PixelType::kUint8),
                     folder_ / "up.tmp.nii.gz",
                     Overwrite::kReplace);
    store->save_label("1.2.3.4", "final", folder_ / "up.tmp.nii.gz", "up.nii.gz", {{"k", 1}});
  }
  {
    // Known from the last time: there before any header is read.
    const LocalDatastore store({.folder = folder_, .read_only = true, .watch = false});
    EXPECT_EQ(store.stats().completed, 1);
  }
  std::filesystem::rename(folder_ / "ct", folder_ / "moved");
  const auto store = open();
  EXPECT_EQ(store->find("1.2.3.4")->label("final")->info.at("k"), 1);
  EXPECT_EQ(store->find("1.2.3.4")->info.at("path"), "moved");
}

}  // namespace
}  // namespace voxloom::serve
