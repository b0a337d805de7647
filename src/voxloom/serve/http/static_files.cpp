#include "voxloom/serve/http/static_files.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "voxloom/core/error.h"

namespace voxloom::serve::http {
namespace {

namespace fs = std::filesystem;

/// The path without empty parts and with '/' alone; nothing where a part is hidden or goes up.
std::optional<fs::path> plain_relative(std::string_view wanted) {
  if (wanted.find('\\') != std::string_view::npos || wanted.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  fs::path relative;
  while (!wanted.empty()) {
    const size_t slash = wanted.find('/');
    const std::string_view part = wanted.substr(0, slash);
    wanted = slash == std::string_view::npos ? std::string_view() : wanted.substr(slash + 1);
    if (part.empty()) continue;
    if (part.front() == '.') return std::nullopt;  // "." and ".." among them.
    relative /= part;
  }
  return relative;
}

/// The regular file that `path` is in the end, if that is below `root`.
std::optional<fs::path> file_below(const fs::path& root, const fs::path& path) {
  std::error_code ec;
  fs::path real = fs::canonical(path, ec);
  if (ec) return std::nullopt;
  if (fs::is_directory(real, ec)) {
    real = fs::canonical(real / "index.html", ec);
    if (ec) return std::nullopt;
  }
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), real.begin(), real.end());
  if (end != root.end() || !fs::is_regular_file(real, ec)) return std::nullopt;
  return real;
}

}  // namespace

Handler static_files(const fs::path& folder, StaticOptions options) {
  std::error_code ec;
  const fs::path root = fs::canonical(folder, ec);
  VOXLOOM_CHECK(!ec && fs::is_directory(root),
                ErrorCode::kNotFound,
                "static files: the folder must exist, got '{}'",
                folder.string());
  return [root, options = std::move(options)](Request& request) {
    std::optional<fs::path> found;
    std::optional<fs::path> relative;
    for (const auto& [name, value] : request.path_values) relative = plain_relative(value);
    if (relative) {
      found = file_below(root, root / *relative);
      if (!found && !options.fallback.empty() && !relative->has_extension()) {
        found = file_below(root, root / options.fallback);
      }
    }
    if (!found) throw Error(ErrorCode::kNotFound, "Not Found");
    Response response = Response::download(std::move(*found), "");
    // Asked for again with its ETag each time: a new version of a page shows at once.
    response.headers.set("cache-control", "no-cache");
    response.headers.set("x-content-type-options", "nosniff");
    return response;
  };
}

}  // namespace voxloom::serve::http
