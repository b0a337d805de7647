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

}  // namespace voxloom
