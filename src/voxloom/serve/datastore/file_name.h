#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace voxloom::serve {

/// A file name without its one known extension, and the extension as written (".nii.gz").
struct SplitName {
  std::string stem, ext;
};

/// nullopt for a hidden file, one without stem or text that is no UTF-8, and for an extension
/// that no image (label) has.
[[nodiscard]] std::optional<SplitName> split_image_name(std::string_view file_name);
[[nodiscard]] std::optional<SplitName> split_label_name(std::string_view file_name);

/// ".nii.gz, .nii, ...": for messages.
[[nodiscard]] std::string image_extensions();
[[nodiscard]] std::string label_extensions();

/// The last part of a client's path, whichever separators its system has.
[[nodiscard]] std::string_view base_name(std::string_view path);

/// Whether `path` exists and lies, links followed, in `root` (which must be canonical).
[[nodiscard]] bool lies_within(const std::filesystem::path& path,
                               const std::filesystem::path& root);

/// A relative path of plain names ("a/b", "."), as a JSON index may give one; else nullopt.
[[nodiscard]] std::optional<std::string> plain_relative(std::string_view path);

}  // namespace voxloom::serve
