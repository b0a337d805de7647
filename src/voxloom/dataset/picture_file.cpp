#include "voxloom/dataset/picture_file.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"
#include "voxloom/dataset/sample.h"
#include "voxloom/image/volume.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset {
namespace {

enum class Kind { kRaster, kTiff, kNpy };

Kind kind_of(const std::filesystem::path& path) {
  std::array<std::byte, 8> start{};
  const auto file = io::open_file_bytes(path);
  const size_t got = file->read_some(0, start);
  const auto format = io::raster_format(std::span(start).first(got));
  if (format == io::RasterFormat::kTiff) return Kind::kTiff;
  if (format != io::RasterFormat::kNone) return Kind::kRaster;
  VOXLOOM_CHECK(got >= 6 && std::memcmp(start.data(), "\x93NUMPY", 6) == 0,
                ErrorCode::kDataCorrupt,
                "'{}': must be a PNG, JPEG, TIFF or NPY picture",
                path.string());
  return Kind::kNpy;
}

/// The only page of a TIFF.
image::Volume read_page(const std::filesystem::path& path) {
  const auto source = io::open_tiff_volume(path);
  const auto& size = source->geometry().size;
  VOXLOOM_CHECK(size[2] == 1,
                ErrorCode::kUnsupported,
                "'{}': a picture must have one page, got {}",
                path.string(),
                size[2]);
  return source->read_slab(0, 1);
}

NamedArray read_array(const std::filesystem::path& path) {
  NamedArray array = read_npy(path);
  VOXLOOM_CHECK(array.shape.size() == 2 && array.shape[0] > 0 && array.shape[1] > 0 &&
                    array.shape[0] <= io::kMaxRasterSide && array.shape[1] <= io::kMaxRasterSide,
                ErrorCode::kDataCorrupt,
                "'{}': an array must be [height, width] with sides within [1, {}], got {}",
                path.string(),
                io::kMaxRasterSide,
                array.shape);
  return array;
}

template <class T>
std::vector<float> scaled(std::span<const T> values, float full) {
  std::vector<float> out(values.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(values[i]) / full;
  return out;
}

std::vector<float> checked_unit(std::span<const float> values, const std::filesystem::path& path) {
  for (const float v : values) {
    VOXLOOM_CHECK(v >= 0.0F && v <= 1.0F,
                  ErrorCode::kDataCorrupt,
                  "'{}': float pixels must lie within [0, 1], got {}",
                  path.string(),
                  static_cast<double>(v));
  }
  return {values.begin(), values.end()};
}

template <class T>
std::span<const T> raster_values(const io::Raster& raster) {
  return {reinterpret_cast<const T*>(raster.pixels.data()), raster.pixels.size() / sizeof(T)};
}

std::vector<float> page_pixels(const image::Volume& page, const std::filesystem::path& path) {
  switch (page.type()) {
    case image::PixelType::kUint8:
      return scaled(page.as<uint8_t>(), 255.0F);
    case image::PixelType::kUint16:
      return scaled(page.as<uint16_t>(), 65535.0F);
    case image::PixelType::kFloat32:
      return checked_unit(page.as<float>(), path);
    default:
      throw Error(ErrorCode::kUnsupported,
                  format("'{}': pixels must be uint8, uint16 or float32, got {}",
                         path.string(),
                         image::pixel_type_name(page.type())));
  }
}

/// One channel: three equal ones count as grey, other colours have no ids.
std::vector<uint8_t> mask_ids(const io::Raster& raster, const std::filesystem::path& path) {
  VOXLOOM_CHECK(raster.type == image::PixelType::kUint8,
                ErrorCode::kDataCorrupt,
                "'{}': a mask must have 8 bits a pixel, got {}",
                path.string(),
                image::pixel_type_name(raster.type));
  const auto values = raster_values<uint8_t>(raster);
  if (raster.channels == 1) return {values.begin(), values.end()};
  std::vector<uint8_t> ids(values.size() / 3);
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = values[3 * i];
    VOXLOOM_CHECK(values[3 * i + 1] == ids[i] && values[3 * i + 2] == ids[i],
                  ErrorCode::kDataCorrupt,
                  "'{}': a mask must be grey or have a palette, got colour ({}, {}, {})",
                  path.string(),
                  values[3 * i],
                  values[3 * i + 1],
                  values[3 * i + 2]);
  }
  return ids;
}

}  // namespace

GreyPicture read_picture(const std::filesystem::path& path) {
  switch (kind_of(path)) {
    case Kind::kTiff: {
      const image::Volume page = read_page(path);
      const auto& size = page.geometry().size;
      return {size[0], size[1], page_pixels(page, path)};
    }
    case Kind::kNpy: {
      const NamedArray array = read_array(path);
      GreyPicture out{array.shape[1], array.shape[0], {}};
      if (array.dtype == "|u1") {
        out.pixels = scaled(array.as<uint8_t>(), 255.0F);
      } else if (array.dtype == "<u2") {
        out.pixels = scaled(array.as<uint16_t>(), 65535.0F);
      } else if (array.dtype == "<f4") {
        out.pixels = checked_unit(array.as<float>(), path);
      } else {
        throw Error(ErrorCode::kUnsupported,
                    format("'{}': pixels must be uint8, uint16 or float32, got '{}'",
                           path.string(),
                           array.dtype));
      }
      return out;
    }
    case Kind::kRaster:
      break;
  }
  const io::Raster grey = io::to_grey(io::read_raster(path));
  return {grey.width,
          grey.height,
          grey.type == image::PixelType::kUint8 ? scaled(raster_values<uint8_t>(grey), 255.0F)
                                                : scaled(raster_values<uint16_t>(grey), 65535.0F)};
}

RawMask read_mask_file(const std::filesystem::path& path) {
  switch (kind_of(path)) {
    case Kind::kTiff: {
      const image::Volume page = read_page(path);
      VOXLOOM_CHECK(page.type() == image::PixelType::kUint8,
                    ErrorCode::kDataCorrupt,
                    "'{}': a mask must have 8 bits a pixel, got {}",
                    path.string(),
                    image::pixel_type_name(page.type()));
      const auto values = page.as<uint8_t>();
      const auto& size = page.geometry().size;
      return {size[0], size[1], {values.begin(), values.end()}};
    }
    case Kind::kNpy: {
      const NamedArray array = read_array(path);
      VOXLOOM_CHECK(array.dtype == "|u1",
                    ErrorCode::kDataCorrupt,
                    "'{}': a mask must hold uint8, got '{}'",
                    path.string(),
                    array.dtype);
      const auto values = array.as<uint8_t>();
      return {array.shape[1], array.shape[0], {values.begin(), values.end()}};
    }
    case Kind::kRaster:
      break;
  }
  const io::Raster raster = io::read_raster(path, io::PngPalette::kIndices);
  return {raster.width, raster.height, mask_ids(raster, path)};
}

bool is_picture_name(const std::filesystem::path& path) {
  for (const std::string_view suffix : {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy"}) {
    if (io::has_suffix(path, suffix)) return true;
  }
  return false;
}

}  // namespace voxloom::dataset
