#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/image/volume.h"

namespace voxloom::io {

/// A 2-D picture: rows from the top, `channels` values a pixel next to each other.
struct Raster {
  int64_t width = 0, height = 0;
  int channels = 1;                                  ///< 1 grey, 3 RGB.
  image::PixelType type = image::PixelType::kUint8;  ///< kUint8 or kUint16.
  std::vector<std::byte> pixels;                     ///< width * height * channels values.
};

/// RGB of 8 bits. rgb: [height, width, 3], as image::Canvas::pixels() has it.
[[nodiscard]] Raster rgb_raster(int64_t width, int64_t height, std::span<const uint8_t> rgb);

enum class RasterFormat { kNone, kPng, kJpeg, kTiff };

/// By the first bytes (8 suffice).
[[nodiscard]] RasterFormat raster_format(std::span<const std::byte> start);

/// What a picture may cost before it is refused.
inline constexpr int64_t kMaxRasterSide = 1 << 16;
inline constexpr int64_t kMaxRasterPixels = int64_t{1} << 28;
inline constexpr int64_t kMaxRasterFileBytes = int64_t{1} << 30;
inline constexpr int64_t kMaxTiffPages = 1 << 16;

/// What becomes of a PNG picture with a palette: its colours, or one channel of indices (the ids
/// of a label picture).
enum class PngPalette { kColours, kIndices };

/// Decode a file in memory: grey and RGB of 8 bits, PNG also of 16. Transparency is dropped,
/// palettes become RGB unless told otherwise. `file` is its name for messages.
/// Throws kDataCorrupt for damaged data, kUnsupported above the limits and for CMYK.
[[nodiscard]] Raster decode_png(std::span<const std::byte> bytes,
                                const std::string& file,
                                PngPalette palette = PngPalette::kColours);
[[nodiscard]] Raster decode_jpeg(std::span<const std::byte> bytes, const std::string& file);

/// One PNG or JPEG file.
[[nodiscard]] Raster read_raster(const std::filesystem::path& path,
                                 PngPalette palette = PngPalette::kColours);

/// Grey by Rec. 601 luma with Pillow's rounding: (19595 R + 38470 G + 7471 B + 32768) / 65536.
[[nodiscard]] Raster to_grey(const Raster& raster);

/// A PNG file: grey 8 or 16 bits, RGB 8 bits. Throws kInvalidArgument when sizes don't fit.
[[nodiscard]] std::string encode_png(const Raster& raster);
void write_png(const Raster& raster, const std::filesystem::path& path, Overwrite overwrite);

/// A PNG or JPEG as a volume of one slice, or the pages of a TIFF as slices (they must be of one
/// size and type; grey of 8, 16 or 32 bits, float32, or RGB of 8 bits). Colour becomes grey.
/// Spacing is 1 mm: these formats don't say.
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_raster_volume(
    const std::filesystem::path& path, RasterFormat format);

/// Opens a TIFF; see open_raster_volume().
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_tiff_volume(
    const std::filesystem::path& path);

}  // namespace voxloom::io
