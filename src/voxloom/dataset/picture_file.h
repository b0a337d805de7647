#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace voxloom::dataset {

/// A grey picture of a data set.
struct GreyPicture {
  int64_t width = 0, height = 0;
  std::vector<float> pixels;  ///< [H, W] in [0, 1].
};

/// PNG, JPEG or TIFF (one page), or NPY [H, W] of uint8, uint16 or float32 within [0, 1]; found by
/// content. 8 and 16 bits fill [0, 1]; colour becomes grey (Rec. 601).
/// Throws kNotFound, kDataCorrupt, kUnsupported naming the file.
[[nodiscard]] GreyPicture read_picture(const std::filesystem::path& path);

/// A mask with the ids of its data set.
struct RawMask {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> ids;  ///< [H, W]
};

/// The same formats with 8 bits; a PNG with a palette gives its indices, three equal channels count
/// as grey. Throws kNotFound, kDataCorrupt, kUnsupported naming the file.
[[nodiscard]] RawMask read_mask_file(const std::filesystem::path& path);

/// True for a name that ends like a picture that read_picture() takes.
[[nodiscard]] bool is_picture_name(const std::filesystem::path& path);

}  // namespace voxloom::dataset
