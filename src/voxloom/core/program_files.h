#pragma once

#include <filesystem>
#include <string_view>

namespace voxloom {

/// The folder that holds libvoxloom.so.
[[nodiscard]] std::filesystem::path library_folder();

/// A file or folder that comes with the program: `share/voxloom/<name>` of an installation, else
/// `<name>` in the source tree that the build folder lies in ("examples/vs_mr_dicom").
/// Throws kNotFound naming what was looked for.
[[nodiscard]] std::filesystem::path bundled_path(std::string_view name);

/// What belongs to the user: $XDG_DATA_HOME/voxloom, or ~/.local/share/voxloom. Empty where neither
/// variable is set; the folder may not exist yet.
[[nodiscard]] std::filesystem::path user_data_folder();

}  // namespace voxloom
