#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <stdlib.h>

#include "voxloom/core/error.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset::testing {

/// A folder of its own that is gone after the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "voxloom-data-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error(ErrorCode::kUnavailable, "no temp folder");
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_grey(const std::filesystem::path& path,
                       int64_t width,
                       int64_t height,
                       const std::vector<uint8_t>& values) {
  std::filesystem::create_directories(path.parent_path());
  io::Raster raster{width, height, 1, image::PixelType::kUint8, {}};
  raster.pixels.resize(values.size());
  std::memcpy(raster.pixels.data(), values.data(), values.size());
  io::write_png(raster, path, Overwrite::kReplace);
}

template <class Fn>
std::string error_of(Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace voxloom::dataset::testing
