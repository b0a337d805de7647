#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include <stdlib.h>

#include "voxloom/core/error.h"
#include "voxloom/image/volume.h"

namespace voxloom::io::testing {

/// A folder of its own that is gone after the test.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "voxloom-io-XXXXXX").string();
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

inline void write_file(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Odd, all different sizes; axes turned about two world axes; optionally mirrored.
inline image::Geometry oblique_geometry(bool left_handed) {
  const double a = 0.4, b = -0.7;
  const double sign = left_handed ? -1 : 1;
  image::Geometry g;
  g.size = {7, 5, 3};
  g.spacing_mm = {0.7, 0.9, 3.5};
  g.origin_mm = {-120.25, 33.5, 871.125};
  g.direction = {std::cos(a),
                 -std::sin(a) * std::cos(b),
                 sign * std::sin(a) * std::sin(b),
                 std::sin(a),
                 std::cos(a) * std::cos(b),
                 -sign * std::cos(a) * std::sin(b),
                 0,
                 std::sin(b),
                 sign * std::cos(b)};
  return g;
}

/// Values spread over the whole range of the type, the extremes included.
inline image::Volume sample_volume(const image::Geometry& geometry, image::PixelType type) {
  image::Volume volume(geometry, type);
  image::dispatch(type, [&](auto t) {
    using T = decltype(t);
    const auto voxels = volume.as<T>();
    uint64_t state = 12345;
    for (auto& voxel : voxels) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      if constexpr (std::is_floating_point_v<T>) {
        voxel = static_cast<T>(static_cast<int32_t>(state >> 32)) / T{1000};
      } else {
        voxel = static_cast<T>(state >> 32);
      }
    }
    voxels[0] = std::numeric_limits<T>::lowest();
    voxels[1] = std::numeric_limits<T>::max();
  });
  return volume;
}

/// The message of the Error that `call` throws; empty when it throws none.
template <class Call>
std::string error_of(Call&& call, ErrorCode* code = nullptr) {
  try {
    call();
  } catch (const Error& error) {
    if (code != nullptr) *code = error.code();
    return error.what();
  }
  return {};
}

}  // namespace voxloom::io::testing
