#pragma once

#include <filesystem>
#include <vector>

#include "voxloom/image/frame.h"
#include "voxloom/io/raster.h"

namespace voxloom::video {

/// A picture as a frame: grey, 0 to 1 over the full scale of its type.
[[nodiscard]] image::Frame picture_frame(const io::Raster& raster);

/// Whether the name is that of a PNG or JPEG file.
[[nodiscard]] bool is_picture(const std::filesystem::path& path);

/// The PNG and JPEG files directly inside a folder, in order of name.
[[nodiscard]] std::vector<std::filesystem::path> list_pictures(const std::filesystem::path& folder);

}  // namespace voxloom::video
