#pragma once

#include <filesystem>
#include <string_view>

namespace voxloom::io {

/// True when the file name ends with `suffix` (lower case, with its dot), whatever its case.
[[nodiscard]] bool has_suffix(const std::filesystem::path& path, std::string_view suffix);

}  // namespace voxloom::io
