#include "voxloom/io/raster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/io/volume_io.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using image::PixelType;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;

Raster sample(int channels, PixelType type) {
  Raster out{13, 7, channels, type, {}};
  out.pixels.resize(13 * 7 * static_cast<size_t>(channels) * image::bytes_per_voxel(type));
  for (size_t i = 0; i < out.pixels.size(); ++i)
    out.pixels[i] = static_cast<std::byte>(i * 37 % 251);
  return out;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST(PngTest, GreyAndColourComeBackAsTheyWere) {
  for (const auto& [channels, type] :
       {std::pair(1, PixelType::kUint8), {1, PixelType::kUint16}, {3, PixelType::kUint8}}) {
    const Raster raster = sample(channels, type);
    const Raster got = decode_png(bytes_of(encode_png(raster)), "a.png");
    EXPECT_EQ(got.width, 13);
    EXPECT_EQ(got.height, 7);
    EXPECT_EQ(got.channels, channels);
    EXPECT_EQ(got.type, type);
    EXPECT_EQ(got.pixels, raster.pixels);
  }
}

TEST(PngTest, RefusesWhatPngCannotHold) {
  Raster raster = sample(1, PixelType::kUint8);
  raster.pixels.pop_back();
  EXPECT_THAT(error_of([&] { static_cast<void>(encode_png(raster)); }),
              HasSubstr("with all its pixels"));
  raster = sample(3, PixelType::kUint16);
  EXPECT_THAT(error_of([&] { static_cast<void>(encode_png(raster)); }),
              HasSubstr("png: must be grey"));
  raster.width = 0;
  EXPECT_THAT(error_of([&] { static_cast<void>(encode_png(raster)); }),
              HasSubstr("sides must be within"));
}

TEST(PngTest, DamageIsAnErrorThatNamesTheFile) {
  const std::string whole = encode_png(sample(1, PixelType::kUint8));
  for (const size_t keep : {size_t{8}, size_t{20}, whole.size() - 20, whole.size() - 13}) {
    EXPECT_THAT(
        error_of([&] { static_cast<void>(decode_png(bytes_of(whole.substr(0, keep)), "a.png")); }),
        HasSubstr("'a.png': must be a valid PNG picture"))
        << keep;
  }
  std::string flipped = whole;
  flipped[60] = static_cast<char>(flipped[60] ^ 1);
  EXPECT_NE(error_of([&] { static_cast<void>(decode_png(bytes_of(flipped), "a.png")); }), "");
}

TEST(PngTest, ABombIsRefusedByItsHeader) {
  // 65536 x 4096 pixels announced by a file of some hundred bytes.
  Raster raster{1, 1, 1, PixelType::kUint8, std::vector<std::byte>(1)};
  std::string bytes = encode_png(raster);
  const std::string ihdr("\0\0\0\x0dIHDR\0\1\0\0\0\0\x10\0\x08\0\0\0\0", 21);
  std::string huge = bytes.substr(0, 8) + ihdr;
  // The checksum of the changed chunk (CRC-32 of its type and data).
  uint32_t crc = 0xFFFFFFFFU;
  for (const char c : ihdr.substr(4)) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
  }
  crc = ~crc;
  for (int shift = 24; shift >= 0; shift -= 8) huge += static_cast<char>(crc >> shift);
  huge += bytes.substr(33);
  EXPECT_THAT(error_of([&] { static_cast<void>(decode_png(bytes_of(huge), "a.png")); }),
              HasSubstr("65536x4096 pixels can't be held by"));
}

TEST(RasterTest, LumaRoundsAsPillowDoes) {
  Raster raster{2, 1, 3, PixelType::kUint8, {}};
  for (const int value : {255, 0, 1, 10, 200, 30})
    raster.pixels.push_back(static_cast<std::byte>(value));
  const Raster grey = to_grey(raster);
  EXPECT_EQ(std::to_integer<int>(grey.pixels[0]), (19595 * 255 + 7471 + 32768) >> 16);
  EXPECT_EQ(std::to_integer<int>(grey.pixels[1]),
            (19595 * 10 + 38470 * 200 + 7471 * 30 + 32768) >> 16);
}

TEST(RasterTest, FilesAreWrittenWholeAndNotReplaced) {
  const TempFolder folder;
  write_png(sample(1, PixelType::kUint16), folder / "a.png", Overwrite::kRefuse);
  const auto volume = read_volume(folder / "a.png");
  EXPECT_EQ(volume.type(), PixelType::kUint16);
  EXPECT_THAT(volume.geometry().size, ::testing::ElementsAre(13, 7, 1));
  ErrorCode code{};
  static_cast<void>(error_of(
      [&] { write_png(sample(1, PixelType::kUint8), folder / "a.png", Overwrite::kRefuse); },
      &code));
  EXPECT_EQ(code, ErrorCode::kAlreadyExists);
}

TEST(RasterTest, CutJpegAndTiffAreErrors) {
  const TempFolder folder;
  testing::write_file(folder / "a.jpg", std::string("\xff\xd8\xff\xe0\0\x10JFIF\0", 11));
  EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "a.jpg")); }),
              HasSubstr("a.jpg': must be a valid JPEG picture"));
  testing::write_file(folder / "a.tif", std::string("II*\0\x08\0\0\0\x05\0", 10));
  EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "a.tif")); }),
              HasSubstr("a.tif': page 0 must be a valid TIFF picture"));
}

}  // namespace
}  // namespace voxloom::io
