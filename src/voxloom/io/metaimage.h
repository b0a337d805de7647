#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/image/volume.h"

namespace voxloom::io {

// MetaImage (https://itk.org/Wiki/MetaIO): "Key = value" lines of which the last is
// ElementDataFile: LOCAL (.mha: voxels follow) or the name of one or more data files (.mhd).
// World axes are LPS, as ITK takes them; AnatomicalOrientation only describes and isn't read.

/// Opens .mha or .mhd: raw, zlib-compressed or text voxels, either byte order.
/// Throws kUnsupported for several channels.
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_metaimage(
    const std::filesystem::path& path);

/// The header of a raw file, or (with `compressed_bytes`) of a zlib-compressed one. That number has
/// a fixed width, so that a header of the same length can replace it once it is known.
/// `data_file`: "LOCAL" or a name.
[[nodiscard]] std::string encode_metaimage_header(const image::Geometry& geometry,
                                                  image::PixelType type,
                                                  std::optional<int64_t> compressed_bytes,
                                                  std::string_view data_file);

}  // namespace voxloom::io
