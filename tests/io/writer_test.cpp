#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "voxloom/io/volume_io.h"
#include "voxloom/io/volume_writer.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using image::PixelType;
using image::Volume;
using testing::error_of;
using ::testing::HasSubstr;
using testing::oblique_geometry;
using testing::sample_volume;
using testing::TempFolder;

size_t files_in(const TempFolder& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
}

TEST(VolumeWriterTest, SlabBySlabGivesTheSameFileAsAtOnce) {
  const TempFolder folder;
  image::Geometry geometry = oblique_geometry(false);
  geometry.size = {301, 173, 23};  // several compression blocks
  const Volume volume = sample_volume(geometry, PixelType::kUint16);
  for (const char* suffix : {".nii", ".nii.gz", ".nrrd", ".mha", ".npz"}) {
    SCOPED_TRACE(suffix);
    write_volume(volume, folder / ("a" + std::string(suffix)), Overwrite::kRefuse);
    VolumeWriter writer(
        geometry, PixelType::kUint16, folder / ("b" + std::string(suffix)), Overwrite::kRefuse);
    for (int64_t z = 0; z < 23; z += 7) {
      writer.write(volume.slab(z, std::min<int64_t>(z + 7, 23)));
    }
    writer.commit();
    EXPECT_EQ(testing::read_file(folder / ("a" + std::string(suffix))),
              testing::read_file(folder / ("b" + std::string(suffix))));
    EXPECT_TRUE(std::ranges::equal(read_volume(folder / ("b" + std::string(suffix))).bytes(),
                                   volume.bytes()));
  }
}

TEST(VolumeWriterTest, LevelZeroLeavesVoxelsAsTheyAre) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(true), PixelType::kInt16);
  const std::string voxels(reinterpret_cast<const char*>(volume.bytes().data()),
                           volume.bytes().size());
  for (const char* name : {"a.nrrd", "a.nhdr", "a.mha", "b.mhd", "c.npz"}) {
    SCOPED_TRACE(name);
    VolumeWriter writer(volume.geometry(),
                        volume.type(),
                        folder / name,
                        Overwrite::kRefuse,
                        {.compression_level = 0, .labels = {}, .is_label_map = false});
    writer.write(volume);
    writer.commit();
    EXPECT_TRUE(std::ranges::equal(read_volume(folder / name).bytes(), volume.bytes()));
  }
  EXPECT_THAT(testing::read_file(folder / "a.nrrd"), ::testing::EndsWith(voxels));
  EXPECT_EQ(testing::read_file(folder / "a.raw"), voxels);
  EXPECT_EQ(testing::read_file(folder / "b.raw"), voxels);
}

TEST(VolumeWriterTest, NothingAppearsWithoutCommit) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kUint8);
  for (const char* name : {"a.nii.gz", "a.mhd", "a.nhdr", "a.hdr", "a.npz"}) {
    VolumeWriter writer(volume.geometry(), volume.type(), folder / name, Overwrite::kRefuse);
    writer.write(volume.slab(0, 2));
    EXPECT_THAT(error_of([&] { writer.commit(); }), HasSubstr("3 slices must be written, got 2"));
  }
  EXPECT_EQ(files_in(folder), 0U);
}

TEST(VolumeWriterTest, RefusesSlabsThatDoNotFit) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kUint8);
  VolumeWriter writer(volume.geometry(), PixelType::kUint8, folder / "a.nii", Overwrite::kRefuse);
  EXPECT_THAT(error_of([&] { writer.write(volume.converted(PixelType::kInt16)); }),
              HasSubstr("must be 7x5 uint8 with at most 3 slices, got 7x5x3 int16"));
  writer.write(volume);
  EXPECT_THAT(error_of([&] { writer.write(volume.slab(0, 1)); }), HasSubstr("at most 0 slices"));
}

TEST(VolumeWriterTest, RefusesToReplaceEitherHalfOfAPair) {
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kUint8);
  for (const auto& [name, half] :
       {std::pair("a.hdr", "a.img"), {"a.mhd", "a.zraw"}, {"a.nhdr", "a.raw.gz"}}) {
    const TempFolder folder;
    testing::write_file(folder / half, "precious");
    ErrorCode code{};
    const std::string message = error_of(
        [&, target = folder / name] { write_volume(volume, target, Overwrite::kRefuse); }, &code);
    EXPECT_EQ(code, ErrorCode::kAlreadyExists) << message;
    EXPECT_THAT(message, HasSubstr("--force"));
    EXPECT_EQ(testing::read_file(folder / half), "precious");
    EXPECT_EQ(files_in(folder), 1U);
    write_volume(volume, folder / name, Overwrite::kReplace);
    EXPECT_TRUE(std::ranges::equal(read_volume(folder / name).bytes(), volume.bytes()));
    EXPECT_EQ(files_in(folder), 2U);
  }
}

TEST(VolumeWriterTest, PutsTheOldDataBackWhenTheHeaderCannotBeCommitted) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kUint8);
  testing::write_file(folder / "a.zraw", "precious");
  {
    VolumeWriter writer(volume.geometry(), volume.type(), folder / "a.mhd", Overwrite::kReplace);
    writer.write(volume);
    // A folder can't be replaced by a file: the second rename fails.
    std::filesystem::create_directory(folder / "a.mhd");
    EXPECT_NE(error_of([&] { writer.commit(); }), "");
  }
  EXPECT_EQ(testing::read_file(folder / "a.zraw"), "precious");
  EXPECT_EQ(files_in(folder), 2U);
}

TEST(VolumeWriterTest, NamesTheKnownSuffixes) {
  for (const char* name : {"a.xyz", "a", ".nii", "a.gz", "a.png"}) {
    ErrorCode code{};
    EXPECT_THAT(error_of([&] { check_writable_format(name); }, &code),
                HasSubstr("must end with one of .nii.gz, .nii, .hdr, .img, .nrrd, .nhdr, .mha"))
        << name;
    EXPECT_EQ(code, ErrorCode::kUnsupported);
  }
  EXPECT_EQ(error_of([] { check_writable_format("A.NII.GZ"); }), "");
}

TEST(VolumeWriterTest, SaysWhenTheFolderIsMissing) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(false), PixelType::kUint8);
  for (const char* name : {"no/a.nii", "no/a.npz", "no/a.mhd"}) {
    EXPECT_THAT(error_of([&] { write_volume(volume, folder / name, Overwrite::kRefuse); }),
                HasSubstr("its folder does not exist"));
  }
}

}  // namespace
}  // namespace voxloom::io
