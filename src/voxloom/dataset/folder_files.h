#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::dataset {

/// Order of names in which digits compare as numbers: "2" before "10".
[[nodiscard]] bool natural_less(std::string_view a, std::string_view b);
struct NaturalLess {
  bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

/// Files by their name without suffix, in natural order.
using NamedFiles = std::map<std::string, std::filesystem::path, NaturalLess>;

/// The pictures of a folder (is_picture_name()). Two whose names differ in the suffix alone are a
/// problem. Throws kNotFound when the folder can't be read.
[[nodiscard]] NamedFiles pictures_in(const std::filesystem::path& folder,
                                     std::vector<std::string>& problems);

/// Names of the folders in `folder`, in natural order; none where it can't be read.
[[nodiscard]] std::vector<std::string> folders_in(const std::filesystem::path& folder);

[[nodiscard]] bool is_folder(const std::filesystem::path& path);
[[nodiscard]] bool is_file(const std::filesystem::path& path);

/// The name of `folder` itself, with or without a slash at its end.
[[nodiscard]] std::string folder_name(const std::filesystem::path& folder);

/// "run3_0012" is frame 12 of sequence "run3" (also with a dash); nothing for other names.
struct FrameName {
  std::string sequence;
  int64_t frame = 0;
};
[[nodiscard]] std::optional<FrameName> split_frame_name(const std::string& name);

/// The number of the digits that `name` ends with, or `otherwise`.
[[nodiscard]] int64_t trailing_number(std::string_view name, int64_t otherwise);

/// A file that a data set's text names, below `folder`. Throws kDataCorrupt for an absolute name, a
/// zero byte or one that leads out of the folder.
[[nodiscard]] std::filesystem::path path_inside(const std::filesystem::path& folder,
                                                const std::string& name);

}  // namespace voxloom::dataset
