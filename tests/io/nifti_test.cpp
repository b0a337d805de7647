#include <cstring>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/io/deflate_sink.h"
#include "voxloom/io/inflate_source.h"
#include "voxloom/io/nifti_header.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/io/voxel_source.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using image::PixelType;
using image::Volume;
using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::oblique_geometry;
using testing::sample_volume;
using testing::TempFolder;

template <class T>
void poke(std::string& bytes, size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

/// A valid NIfTI-1 file of 7 x 5 x 3 int16, changed by `change`.
std::string changed_file(const std::function<void(std::string&)>& change) {
  std::string bytes = encode_nifti_header(oblique_geometry(false), PixelType::kInt16, false);
  bytes.append(7 * 5 * 3 * 2, '\1');
  change(bytes);
  return bytes;
}

struct BadFile {
  const char* name;
  std::function<void(std::string&)> change;
  ErrorCode code;
  const char* message;
};

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

const BadFile kBadFiles[] = {
    {"CutHeader",
     [](auto& b) { b.resize(100); },
     ErrorCode::kDataCorrupt,
     "must have 348 bytes, got 100"},
    {"CutVoxels",
     [](auto& b) { b.resize(b.size() - 1); },
     ErrorCode::kDataCorrupt,
     "need 210 bytes, the file can hold 209"},
    {"NoMagic",
     [](auto& b) { b[344] = 'x'; },
     ErrorCode::kUnsupported,
     "ANALYZE 7.5 files don't say how they lie in the patient"},
    {"ZeroAxes",
     [](auto& b) { poke<int16_t>(b, 40, 0); },
     ErrorCode::kDataCorrupt,
     "dim[0] must be within [1, 7], got 0"},
    {"ManyAxes",
     [](auto& b) { poke<int16_t>(b, 40, 8); },
     ErrorCode::kDataCorrupt,
     "dim[0] must be within [1, 7], got 8"},
    {"ZeroSize",
     [](auto& b) { poke<int16_t>(b, 44, 0); },
     ErrorCode::kDataCorrupt,
     "dim[2] must be positive, got 0"},
    {"NegativeSize",
     [](auto& b) { poke<int16_t>(b, 46, -3); },
     ErrorCode::kDataCorrupt,
     "dim[3] must be positive, got -3"},
    {"HugeSize",
     [](auto& b) { poke<int16_t>(b, 46, 32767); },
     ErrorCode::kDataCorrupt,
     "voxel data is cut off"},
    {"Series",
     [](auto& b) {
       poke<int16_t>(b, 40, 4);
       poke<int16_t>(b, 48, 20);
     },
     ErrorCode::kUnsupported,
     "must hold one volume, got 20 (dim[4]); split the file"},
    {"Complex",
     [](auto& b) { poke<int16_t>(b, 70, 32); },
     ErrorCode::kUnsupported,
     "got code 32 (complex)"},
    {"Colour",
     [](auto& b) { poke<int16_t>(b, 70, 128); },
     ErrorCode::kUnsupported,
     "got code 128 (colour)"},
    {"UnknownType",
     [](auto& b) { poke<int16_t>(b, 70, 77); },
     ErrorCode::kUnsupported,
     "got code 77"},
    {"NanSpacing",
     [](auto& b) { poke(b, 80, kNan); },
     ErrorCode::kDataCorrupt,
     "pixdim must be finite"},
    {"InfiniteSpacing",
     [](auto& b) { poke(b, 84, kInfinity); },
     ErrorCode::kDataCorrupt,
     "pixdim must be finite"},
    {"NanPlace",
     [](auto& b) { poke(b, 292, kNan); },
     ErrorCode::kDataCorrupt,
     "srow_x/y/z must be finite"},
    {"NanQuaternion",
     [](auto& b) { poke(b, 256, kNan); },
     ErrorCode::kDataCorrupt,
     "quatern_b/c/d must be finite"},
    {"NanIntercept",
     [](auto& b) { poke(b, 116, kNan); },
     ErrorCode::kDataCorrupt,
     "scl_inter must be finite"},
    {"NanOffset",
     [](auto& b) { poke(b, 108, kNan); },
     ErrorCode::kDataCorrupt,
     "vox_offset must be within"},
    {"HugeOffset",
     [](auto& b) { poke(b, 108, 1e30F); },
     ErrorCode::kDataCorrupt,
     "vox_offset must be within"},
    {"OffsetAtTheEnd",
     [](auto& b) { poke(b, 108, 5000.0F); },
     ErrorCode::kDataCorrupt,
     "the file can hold 0"},
    {"SingularPlace",
     [](auto& b) {
       poke<int16_t>(b, 252, 0);
       for (size_t i = 0; i < 12; ++i) poke(b, 280 + 4 * i, 0.0F);
     },
     ErrorCode::kDataCorrupt,
     "the world step of axis 0 must be finite and not zero"},
    {"DependentAxes",
     [](auto& b) {
       poke<int16_t>(b, 252, 0);
       for (size_t i = 0; i < 12; ++i) poke(b, 280 + 4 * i, 1.0F);
     },
     ErrorCode::kDataCorrupt,
     "direction columns must be independent"},
};

TEST(NiftiTest, EachBadFieldIsNamed) {
  for (const auto& bad : kBadFiles) {
    SCOPED_TRACE(bad.name);
    const TempFolder folder;
    testing::write_file(folder / "case.nii", changed_file(bad.change));
    ErrorCode code{};
    EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "case.nii")); }, &code),
                AllOf(HasSubstr("case.nii"), HasSubstr(bad.message)));
    EXPECT_EQ(code, bad.code);
  }
}

TEST(NiftiTest, ALyingHeaderIsRefusedBeforeAnythingIsAllocated) {
  const TempFolder folder;
  image::Geometry geometry = oblique_geometry(false);
  // A header that claims 2^40 voxels in front of nothing: 8 TiB if anybody believed it.
  geometry.size = {1 << 20, 1 << 20, 1};
  testing::write_file(folder / "huge.nii",
                      encode_nifti_header(geometry, PixelType::kFloat64, false));
  EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "huge.nii")); }),
              HasSubstr("need 8796093022208 bytes, the file can hold 0"));
}

TEST(NiftiTest, APackedFileThatEndsEarlyIsRefusedBeforeItsClaimIsAllocated) {
  // 600 MB claimed behind a megabyte of noise: deflate could do that, so only the end tells.
  image::Geometry geometry;
  geometry.size = {1000, 1000, 1};
  std::vector<std::byte> packed;
  DeflateSink sink(DeflateSink::Wrapper::kGzip, 1, [&](std::span<const std::byte> part) {
    packed.insert(packed.end(), part.begin(), part.end());
  });
  sink.write(sample_volume(geometry, PixelType::kUint8).bytes());
  sink.finish();
  VoxelLayout layout;
  layout.geometry = geometry;
  layout.geometry.size[2] = 600;
  const auto source = make_voxel_source(layout, inflated_bytes(memory_bytes(packed, "b.gz")));
  // One byte is asked for at the end, not 600,000,000 from the start.
  EXPECT_THAT(error_of([&] { static_cast<void>(source->read_slab(0, 600)); }),
              HasSubstr("'b.gz': voxel data is cut off: must have 1 bytes from byte 599999999 on"));
  EXPECT_EQ(source->read_slab(0, 1).voxel_count(), 1'000'000);
}

TEST(NiftiTest, APairNeedsBothHalves) {
  const TempFolder folder;
  const Volume volume = sample_volume(oblique_geometry(true), PixelType::kInt32);
  write_volume(volume, folder / "a.hdr", Overwrite::kRefuse);
  EXPECT_TRUE(std::filesystem::exists(folder / "a.img"));
  std::filesystem::remove(folder / "a.img");
  EXPECT_THAT(error_of([&] { static_cast<void>(open_volume(folder / "a.hdr")); }),
              AllOf(HasSubstr("its other half"), HasSubstr("a.img' does not exist")));
}

TEST(NiftiTest, ASlabFarInsideALargeFileReadsOnlyItself) {
  const TempFolder folder;
  image::Geometry geometry;
  geometry.size = {1024, 1024, 4096};  // 4 GiB, sparse on disk
  testing::write_file(folder / "large.nii",
                      encode_nifti_header(geometry, PixelType::kUint8, false));
  std::filesystem::resize_file(folder / "large.nii", 352 + (uint64_t{1} << 32));
  const auto source = open_volume(folder / "large.nii");
  const Volume slab = source->read_slab(4090, 4092);
  EXPECT_EQ(slab.voxel_count(), 2 * 1024 * 1024);
  EXPECT_DOUBLE_EQ(slab.geometry().origin_mm[2], 4090);
  EXPECT_EQ(slab.as<uint8_t>()[17], 0);
}

TEST(NiftiTest, SlabsOutsideAreRefused) {
  const TempFolder folder;
  write_volume(sample_volume(oblique_geometry(false), PixelType::kUint8),
               folder / "a.nii",
               Overwrite::kRefuse);
  const auto source = open_volume(folder / "a.nii");
  for (const auto& [z0, z1] : {std::pair(-1, 2), {2, 4}, {1, 1}, {2, 1}}) {
    EXPECT_THAT(error_of([&, a = z0, b = z1] { static_cast<void>(source->read_slab(a, b)); }),
                HasSubstr("slices must lie within [0, 3)"));
  }
}

}  // namespace
}  // namespace voxloom::io
