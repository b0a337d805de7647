#include <algorithm>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/io/volume_io.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::PixelType;
using image::Volume;
using testing::oblique_geometry;
using testing::sample_volume;
using testing::TempFolder;

bool same_bytes(const Volume& a, const Volume& b) {
  return std::ranges::equal(a.bytes(), b.bytes());
}

class FormatRoundTripTest
    : public ::testing::TestWithParam<std::tuple<const char*, PixelType, bool>> {};

TEST_P(FormatRoundTripTest, KeepsVoxelsTypeAndWorldGeometry) {
  const auto [suffix, type, left_handed] = GetParam();
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(left_handed), type);
  const auto file = folder / (std::string("volume") + suffix);
  write_volume(volume, file, Overwrite::kRefuse);

  const Volume whole = read_volume(file);
  EXPECT_EQ(whole.type(), type);
  EXPECT_TRUE(same_bytes(whole, volume));
  EXPECT_TRUE(image::same_grid(whole.geometry(), volume.geometry(), 1e-3));

  const auto source = open_volume(file);
  for (int64_t z = 2; z >= 0; --z) {
    const Volume slab = source->read_slab(z, z + 1);
    EXPECT_TRUE(same_bytes(slab, volume.slab(z, z + 1))) << "slice " << z;
    EXPECT_TRUE(image::same_grid(slab.geometry(), volume.slab(z, z + 1).geometry(), 1e-3));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats,
    FormatRoundTripTest,
    ::testing::Combine(
        ::testing::Values(
            ".nii", ".nii.gz", ".hdr", ".img", ".nrrd", ".nhdr", ".mha", ".mhd", ".npz"),
        ::testing::Values(PixelType::kUint8,
                          PixelType::kInt8,
                          PixelType::kUint16,
                          PixelType::kInt16,
                          PixelType::kUint32,
                          PixelType::kInt32,
                          PixelType::kUint64,
                          PixelType::kInt64,
                          PixelType::kFloat32,
                          PixelType::kFloat64),
        ::testing::Bool()),
    [](const auto& info) {
      std::string name = std::get<0>(info.param);
      std::replace(name.begin(), name.end(), '.', '_');
      return std::string(image::pixel_type_name(std::get<1>(info.param))) + name +
             (std::get<2>(info.param) ? "_left" : "_right");
    });

TEST(RoundTripTest, TheSameVolumeGivesTheSameBytes) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kInt16);
  for (const char* name :
       {"a.nii", "a.nii.gz", "b.hdr", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.npz"}) {
    write_volume(volume, folder / name, Overwrite::kRefuse);
    const std::string first = testing::read_file(folder / name);
    write_volume(volume, folder / name, Overwrite::kReplace);
    EXPECT_EQ(testing::read_file(folder / name), first) << name;
  }
}

TEST(LabelRoundTripTest, StoresSmallValuesAsBytesAndKeepsNamesInNrrd) {
  const TempFolder folder;
  image::LabelVolume labels(oblique_geometry(true));
  labels.voxels()[3] = 2;
  labels.voxels()[4] = 255;
  labels.labels = {{2, "liver, left\nlobe \\ n"}, {255, "tumour := x"}};
  for (const char* name : {"a.nii.gz", "a.seg.nrrd", "a.nhdr", "a.mha", "a.npz"}) {
    SCOPED_TRACE(name);
    write_labels(labels, folder / name, Overwrite::kRefuse);
    const image::LabelVolume got = read_labels(folder / name);
    EXPECT_TRUE(std::ranges::equal(got.voxels(), labels.voxels()));
    EXPECT_EQ(open_volume(folder / name)->type(), PixelType::kUint8);
    if (std::string_view(name).ends_with("rrd") || std::string_view(name).ends_with("nhdr")) {
      EXPECT_EQ(got.labels, labels.labels);
    }
  }
}

TEST(LabelRoundTripTest, KeepsValuesAbove255) {
  const TempFolder folder;
  image::LabelVolume labels(oblique_geometry(false));
  labels.voxels()[0] = 65535;
  write_labels(labels, folder / "a.nii", Overwrite::kRefuse);
  EXPECT_EQ(open_volume(folder / "a.nii")->type(), PixelType::kUint16);
  EXPECT_EQ(read_labels(folder / "a.nii").voxels()[0], 65535);
}

TEST(LabelRoundTripTest, RefusesFractionsNamingTheFile) {
  const TempFolder folder;
  Volume volume(oblique_geometry(false), PixelType::kFloat32);
  volume.as<float>()[5] = 1.5F;
  write_volume(volume, folder / "a.mha", Overwrite::kRefuse);
  EXPECT_THAT(testing::error_of([&] { static_cast<void>(read_labels(folder / "a.mha")); }),
              ::testing::AllOf(::testing::HasSubstr("a.mha"), ::testing::HasSubstr("got 1.5")));
}

TEST(DetectTest, GoesByContentWhateverTheName) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kInt16);
  for (const char* name : {"a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.npz"}) {
    SCOPED_TRACE(name);
    write_volume(volume, folder / name, Overwrite::kRefuse);
    std::filesystem::rename(folder / name, folder / "upload.bin");
    EXPECT_TRUE(same_bytes(read_volume(folder / "upload.bin"), volume));
    std::filesystem::remove(folder / "upload.bin");
  }
}

TEST(DetectTest, SaysWhatIsReadWhenNothingFits) {
  const TempFolder folder;
  testing::write_file(folder / "a.xyz", "hello");
  EXPECT_THAT(
      testing::error_of([&] { static_cast<void>(open_volume(folder / "a.xyz")); }),
      ::testing::HasSubstr("must be NIfTI, NRRD, MetaImage, NPZ, DICOM, PNG, JPEG or TIFF"));
  ErrorCode code{};
  static_cast<void>(
      testing::error_of([&] { static_cast<void>(open_volume(folder / "none.nii")); }, &code));
  EXPECT_EQ(code, ErrorCode::kNotFound);
}

TEST(DetectTest, AChosenSeriesNeedsDicom) {
  const TempFolder folder;
  write_volume(sample_volume(oblique_geometry(false), PixelType::kUint8),
               folder / "a.nii",
               Overwrite::kRefuse);
  EXPECT_THAT(testing::error_of([&] { static_cast<void>(open_volume(folder / "a.nii", "1.2.3")); }),
              ::testing::HasSubstr("in DICOM only, this is NIfTI"));
}

}  // namespace
}  // namespace voxloom::io
