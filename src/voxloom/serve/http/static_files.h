#pragma once

#include <filesystem>
#include <string>

#include "voxloom/serve/http/router.h"

namespace voxloom::serve::http {

struct StaticOptions {
  /// Answers paths that name no file with this file of the folder ("index.html"): pages that
  /// read the path themselves. Empty: 404. Paths whose last part has an ending stay 404.
  std::string fallback;
};

/// Serves the files below `folder` for a pattern that ends in {path*}. A folder is answered with
/// its index.html. Nothing outside is reached, neither by ".." nor by symbolic links, and no
/// hidden file. Run it on Work::kPool; the route may have `head`.
/// Throws kNotFound when the folder does not exist.
[[nodiscard]] Handler static_files(const std::filesystem::path& folder, StaticOptions options = {});

}  // namespace voxloom::serve::http
