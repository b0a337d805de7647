#include "voxloom/core/program_files.h"

#include <cstdlib>
#include <string>

#include <dlfcn.h>

#include "voxloom/core/error.h"

namespace voxloom {

namespace fs = std::filesystem;

fs::path library_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&library_folder), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  return fs::path(info.dli_fname).parent_path();
}

fs::path bundled_path(std::string_view name) {
  const fs::path folder = library_folder();
  for (const auto& base : {folder / "../share/voxloom", folder / "../../.."}) {
    std::error_code ignored;
    if (fs::exists(base / name, ignored)) return fs::weakly_canonical(base / name);
  }
  throw Error(ErrorCode::kNotFound,
              format("'{}' is not beside the program (looked from '{}')", name, folder.string()));
}

fs::path user_data_folder() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && *data != '\0') return fs::path(data) / "voxloom";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / ".local" / "share" / "voxloom";
  return {};
}

}  // namespace voxloom
