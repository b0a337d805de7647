// NRRD and MetaImage: what their headers may say, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/io/nrrd.h"
#include "voxloom/io/volume_io.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;

struct BadText {
  std::string text;
  ErrorCode code;
  const char* message;
};

const std::string kNrrd = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n";

std::string without(std::string text, const std::string& field) {
  const size_t at = text.find(field);
  return text.erase(at, text.find('\n', at) - at + 1);
}

TEST(NrrdTest, EachBadFieldIsNamed) {
  const std::string end = "\n12345678";
  const BadText cases[] = {
      {"NRRD0009\n" + end, ErrorCode::kDataCorrupt, "must begin with NRRD0001 to NRRD0005"},
      {without(kNrrd, "type") + end, ErrorCode::kDataCorrupt, "must have field 'type'"},
      {without(kNrrd, "dimension") + end, ErrorCode::kDataCorrupt, "must have field 'dimension'"},
      {without(kNrrd, "sizes") + end, ErrorCode::kDataCorrupt, "must have field 'sizes'"},
      {without(kNrrd, "encoding") + end, ErrorCode::kDataCorrupt, "must have field 'encoding'"},
      {kNrrd + "sizes: 2 2\n" + end, ErrorCode::kDataCorrupt, "'sizes' must have 3 values"},
      {kNrrd + "sizes: 2 0 2\n" + end, ErrorCode::kDataCorrupt, "got '0'"},
      {kNrrd + "sizes: 2 -2 2\n" + end, ErrorCode::kDataCorrupt, "got '-2'"},
      {kNrrd + "sizes: 2 2 99999999999999999999\n" + end,
       ErrorCode::kDataCorrupt,
       "field 'sizes' must be a whole number"},
      {kNrrd + "sizes: 1000000 1000000 1000000\n" + end,
       ErrorCode::kDataCorrupt,
       "at most 2^40 voxels"},
      {kNrrd + "sizes: 10000 10000 10000\n" + end,
       ErrorCode::kDataCorrupt,
       "need 1000000000000 bytes, the file can hold 8"},
      {kNrrd + "type: block\n" + end,
       ErrorCode::kUnsupported,
       "field 'type' must be an integer or float type"},
      {kNrrd + "type: short\n" + end, ErrorCode::kDataCorrupt, "must have field 'endian'"},
      {kNrrd + "type: short\nendian: middle\n" + end,
       ErrorCode::kDataCorrupt,
       "'endian' must be little or big"},
      {kNrrd + "encoding: bzip2\n" + end,
       ErrorCode::kUnsupported,
       "'encoding' must be raw, gzip or text, got 'bzip2'"},
      {kNrrd + "encoding: gzip\n" + end,
       ErrorCode::kDataCorrupt,
       "must be a valid gzip or zlib stream"},
      {kNrrd + "spacings: 1 inf 1\n" + end,
       ErrorCode::kDataCorrupt,
       "'spacings' must be finite numbers, got 'inf'"},
      {kNrrd + "spacings: 1 x 1\n" + end, ErrorCode::kDataCorrupt, "got 'x'"},
      {kNrrd + "space: MNI\nspace directions: (1,0,0) (0,1,0) (0,0,1)\n" + end,
       ErrorCode::kUnsupported,
       "field 'space' must be LPS, RAS, LAS"},
      {kNrrd + "space directions: (1,0,0) (0,1,0)\n" + end,
       ErrorCode::kDataCorrupt,
       "must have 3 vectors, got 2"},
      {kNrrd + "space directions: (1,0,0) (0,1,0) (0,nan,1)\n" + end,
       ErrorCode::kDataCorrupt,
       "the world step of axis 2 must be finite"},
      {kNrrd + "space directions: (1,0,0) (0,1,0) (0,1,0)\n" + end,
       ErrorCode::kDataCorrupt,
       "must be independent"},
      {kNrrd + "space directions: (1,0,0) (0,1,0) (0,0,1\n" + end,
       ErrorCode::kDataCorrupt,
       "must be vectors like (1,0,0)"},
      {kNrrd + "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (1,2)\n" + end,
       ErrorCode::kDataCorrupt,
       "'space origin' must be one vector"},
      {kNrrd + "space directions: none (1,0,0) (0,1,0)\nkinds: list domain domain\n" + end,
       ErrorCode::kUnsupported,
       "segments that overlap are stored as layers"},
      {kNrrd + "kinds: RGB-color domain domain\n" + end,
       ErrorCode::kUnsupported,
       "must hold one value a voxel, got 2 on axis 0 (rgb-color)"},
      {kNrrd + "no colon here\n" + end,
       ErrorCode::kDataCorrupt,
       "line must be 'field: value', got 'no colon here'"},
      {kNrrd + "byte skip: -2\n" + end, ErrorCode::kDataCorrupt, "field 'byte skip'"},
      {kNrrd + "byte skip: 5\n" + end, ErrorCode::kDataCorrupt, "the file can hold 3"},
      {kNrrd + "line skip: 3\n" + end, ErrorCode::kDataCorrupt, "'line skip' goes past the end"},
      {kNrrd + "data file: /etc/hostname\n",
       ErrorCode::kUnsupported,
       "must lie in the folder of the header, got '/etc/hostname'"},
      {kNrrd + "data file: ../../secret.raw\n",
       ErrorCode::kUnsupported,
       "must lie in the folder of the header"},
      {kNrrd + "data file: LIST\n", ErrorCode::kDataCorrupt, "LIST but no file follows"},
      {kNrrd + "data file: %s%n.raw 1 2 1\n",
       ErrorCode::kDataCorrupt,
       "data file pattern must be like"},
      {kNrrd + "data file: a%d.raw 1 2000000000 1\n",
       ErrorCode::kDataCorrupt,
       "at most 100000 files"},
      {kNrrd + "data file: a%d.raw 1 2 0\n", ErrorCode::kDataCorrupt, "in steps of 0"},
      {kNrrd + "data file: none.raw\n", ErrorCode::kNotFound, "none.raw"},
      {kNrrd + "encoding: text\n\n1 2 3", ErrorCode::kDataCorrupt, "the file can hold"},
      {kNrrd + "encoding: text\n\n1 2 3 4 5 6 7       ",
       ErrorCode::kDataCorrupt,
       "must hold 8 numbers"},
      {kNrrd + "encoding: text\n\n1 2 3 4 5 6 7 256",
       ErrorCode::kDataCorrupt,
       "must be numbers of type uint8, got '256'"},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.text);
    const TempFolder folder;
    testing::write_file(folder / "case.nrrd", bad.text);
    ErrorCode code{};
    EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "case.nrrd")); }, &code),
                HasSubstr(bad.message));
    EXPECT_EQ(code, bad.code);
  }
}

TEST(NrrdTest, ASingleSliceTakesItsThicknessAsSpacing) {
  const TempFolder folder;
  testing::write_file(folder / "a.nrrd",
                      "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 1\nencoding: raw\n"
                      "spacings: 0.5 0.5 nan\nthicknesses: nan nan 4\n\n1234");
  EXPECT_THAT(open_volume(folder / "a.nrrd")->geometry().spacing_mm, ElementsAre(0.5, 0.5, 4.0));
}

TEST(NrrdTest, WindowsLineEndsAndExtraAxesOfLengthOneAreFine) {
  const TempFolder folder;
  testing::write_file(
      folder / "a.nrrd",
      "NRRD0004\r\ntype: uint8\r\ndimension: 4\r\nsizes: 1 2 2 2\r\nencoding: raw\r\n"
      "space: right-anterior-superior\r\nkinds: list domain domain domain\r\n"
      "space directions: none (2,0,0) (0,2,0) (0,0,2)\r\nspace origin: (1,2,3)\r\n\r\n12345678");
  const auto volume = read_volume(folder / "a.nrrd");
  EXPECT_THAT(volume.geometry().size, ElementsAre(2, 2, 2));
  EXPECT_THAT(volume.geometry().origin_mm, ElementsAre(-1, -2, 3));
  EXPECT_THAT(volume.as<uint8_t>(), ElementsAre('1', '2', '3', '4', '5', '6', '7', '8'));
}

TEST(NrrdTest, EveryListedFileMustBeLongEnough) {
  const TempFolder folder;
  testing::write_file(folder / "1.raw", "1234");
  testing::write_file(folder / "2.raw", "123");
  testing::write_file(folder / "a.nhdr", kNrrd + "data file: LIST\n1.raw\n2.raw\n");
  EXPECT_THAT(error_of([&] { static_cast<void>(open_volume(folder / "a.nhdr")); }),
              HasSubstr("2.raw': voxel data is cut off: must have 4 bytes from byte 0 on, got 3"));
}

TEST(NrrdTest, HeaderIsWhatBrowserParsersAndSlicerWant) {
  image::Geometry geometry;
  geometry.size = {2, 3, 4};
  geometry.spacing_mm = {0.5, 0.25, 2};
  geometry.origin_mm = {-1.5, 2, 0};
  const std::string header =
      encode_nrrd_header(geometry, image::PixelType::kUint8, true, {{3, "liver"}}, "");
  EXPECT_THAT(header,
              AllOf(HasSubstr("space: left-posterior-superior\n"),
                    HasSubstr("space directions: (0.5,0,0) (0,0.25,0) (0,0,2)\n"),
                    HasSubstr("space origin: (-1.5,2,0)\n"),
                    HasSubstr("endian: little\n"),
                    HasSubstr("Segment0_LabelValue:=3\n"),
                    HasSubstr("Segment0_Name:=liver\n"),
                    HasSubstr("Segment0_Extent:=0 1 0 2 0 3\n"),
                    ::testing::EndsWith("\n\n")));
  for (const char* field : {"\nunits", "\nlabels", "\nspace units"}) {
    EXPECT_THAT(header, ::testing::Not(HasSubstr(field)));
  }
}

TEST(MetaImageTest, EachBadFieldIsNamed) {
  const std::string base =
      "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n";
  const std::string end = "ElementDataFile = LOCAL\n12345678";
  const BadText cases[] = {
      {base, ErrorCode::kDataCorrupt, "must have field 'ElementDataFile'"},
      {without(base, "NDims") + end, ErrorCode::kDataCorrupt, "must have field 'NDims'"},
      {without(base, "DimSize") + end, ErrorCode::kDataCorrupt, "must have field 'DimSize'"},
      {without(base, "ElementType") + end,
       ErrorCode::kDataCorrupt,
       "must have field 'ElementType'"},
      {base + "NDims = 0\n" + end,
       ErrorCode::kDataCorrupt,
       "field 'ndims' must be a whole number within [1, 10]"},
      {base + "DimSize = 2 2\n" + end, ErrorCode::kDataCorrupt, "'DimSize' must have 3 numbers"},
      {base + "DimSize = 2 0 2\n" + end, ErrorCode::kDataCorrupt, "got '0'"},
      {base + "DimSize = 2 -1 2\n" + end, ErrorCode::kDataCorrupt, "got '-1'"},
      {base + "DimSize = 9000 9000 9000\n" + end, ErrorCode::kDataCorrupt, "the file can hold 8"},
      {base + "NDims = 4\nDimSize = 2 2 1 2\n" + end,
       ErrorCode::kUnsupported,
       "must hold one volume, got 2 along axis 3"},
      {base + "ElementNumberOfChannels = 3\n" + end, ErrorCode::kUnsupported, "got 3 channels"},
      {base + "ElementType = MET_OTHER\n" + end, ErrorCode::kUnsupported, "got 'MET_OTHER'"},
      {base + "ElementSpacing = 1 nan 1\n" + end,
       ErrorCode::kDataCorrupt,
       "'elementspacing' must be 3 finite numbers"},
      {base + "Offset = 1 2\n" + end, ErrorCode::kDataCorrupt, "'offset' must be 3 finite numbers"},
      {base + "TransformMatrix = 1 0 0 1 0 0 0 0 1\n" + end,
       ErrorCode::kDataCorrupt,
       "must be independent"},
      {base + "TransformMatrix = 0 0 0 0 1 0 0 0 1\n" + end,
       ErrorCode::kDataCorrupt,
       "the world step of axis 0"},
      {base + "HeaderSize = 4\n" + end, ErrorCode::kDataCorrupt, "the file can hold 4"},
      {base + "CompressedData = True\n" + end,
       ErrorCode::kDataCorrupt,
       "valid gzip or zlib stream"},
      {base + "nonsense\n" + end,
       ErrorCode::kDataCorrupt,
       "line must be 'Key = value', got 'nonsense'"},
      {base + "ElementDataFile = /etc/hostname\n",
       ErrorCode::kUnsupported,
       "must lie in the folder of the header"},
      {base + "ElementDataFile = a/../../b.raw\n",
       ErrorCode::kUnsupported,
       "must lie in the folder of the header"},
      {base + "ElementDataFile = none.raw\n", ErrorCode::kNotFound, "none.raw"},
      {base + "ElementDataFile = LIST\n", ErrorCode::kDataCorrupt, "LIST but no file follows"},
      {base + "HeaderSize = -1\nDimSize = 2 2 9\n" + end,
       ErrorCode::kDataCorrupt,
       "must have 36 bytes at the end of the file"},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.text);
    const TempFolder folder;
    testing::write_file(folder / "case.mha", bad.text);
    ErrorCode code{};
    EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "case.mha")); }, &code),
                HasSubstr(bad.message));
    EXPECT_EQ(code, bad.code);
  }
}

}  // namespace
}  // namespace voxloom::io
