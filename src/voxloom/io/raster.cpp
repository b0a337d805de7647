#include "voxloom/io/raster.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/io/byte_source.h"

namespace voxloom::io {
namespace {

template <class T>
void luma(const Raster& in, Raster& out) {
  const auto* source = reinterpret_cast<const T*>(in.pixels.data());
  auto* target = reinterpret_cast<T*>(out.pixels.data());
  for (int64_t i = 0; i < in.width * in.height; ++i) {
    const uint64_t r = source[3 * i], g = source[3 * i + 1], b = source[3 * i + 2];
    target[i] = static_cast<T>((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
  }
}

std::vector<std::byte> read_file(const std::filesystem::path& path) {
  auto file = open_file_bytes(path);
  VOXLOOM_CHECK(file->size_limit() <= kMaxRasterFileBytes,
                ErrorCode::kUnsupported,
                "'{}': a picture file must have at most {} bytes, got {}",
                path.string(),
                kMaxRasterFileBytes,
                file->size_limit());
  std::vector<std::byte> bytes(static_cast<size_t>(file->size_limit()));
  file->read_exact(0, bytes, "picture");
  return bytes;
}

}  // namespace

RasterFormat raster_format(std::span<const std::byte> start) {
  using std::string_view_literals::operator""sv;
  const auto begins = [&](std::string_view magic) {
    return start.size() >= magic.size() &&
           std::memcmp(start.data(), magic.data(), magic.size()) == 0;
  };
  if (begins("\x89PNG\r\n\x1a\n"sv)) return RasterFormat::kPng;
  if (begins("\xff\xd8\xff"sv)) return RasterFormat::kJpeg;
  // Classic and big TIFF, little- and big-endian.
  if (begins("II*\0"sv) || begins("MM\0*"sv) || begins("II+\0"sv) || begins("MM\0+"sv)) {
    return RasterFormat::kTiff;
  }
  return RasterFormat::kNone;
}

Raster read_raster(const std::filesystem::path& path, PngPalette palette) {
  const auto bytes = read_file(path);
  switch (raster_format(bytes)) {
    case RasterFormat::kPng:
      return decode_png(bytes, path.string(), palette);
    case RasterFormat::kJpeg:
      return decode_jpeg(bytes, path.string());
    default:
      throw Error(ErrorCode::kUnsupported,
                  format("'{}': must be a PNG or JPEG picture", path.string()));
  }
}

Raster rgb_raster(int64_t width, int64_t height, std::span<const uint8_t> rgb) {
  const auto bytes = std::as_bytes(rgb);
  return {.width = width, .height = height, .channels = 3, .pixels = {bytes.begin(), bytes.end()}};
}

Raster to_grey(const Raster& raster) {
  if (raster.channels == 1) return raster;
  Raster out{raster.width, raster.height, 1, raster.type, {}};
  out.pixels.resize(raster.pixels.size() / 3);
  if (raster.type == image::PixelType::kUint8) {
    luma<uint8_t>(raster, out);
  } else {
    luma<uint16_t>(raster, out);
  }
  return out;
}

std::unique_ptr<image::VolumeSource> open_raster_volume(const std::filesystem::path& path,
                                                        RasterFormat format) {
  if (format == RasterFormat::kTiff) return open_tiff_volume(path);
  const Raster grey = to_grey(read_raster(path));
  image::Geometry geometry;
  geometry.size = {grey.width, grey.height, 1};
  image::Volume volume(geometry, grey.type);
  std::memcpy(volume.bytes().data(), grey.pixels.data(), grey.pixels.size());
  return image::make_source(std::move(volume));
}

}  // namespace voxloom::io
