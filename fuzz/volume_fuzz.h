#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/image/volume.h"

namespace voxloom::fuzz {

/// A folder of this process with one file that holds the input. Detached headers find `d.raw`.
inline std::filesystem::path input_file(const char* name, const uint8_t* data, size_t size) {
  static const std::filesystem::path folder = [] {
    set_log_level(LogLevel::kOff);
    auto path =
        std::filesystem::temp_directory_path() / ("voxloom-fuzz-" + std::to_string(::getpid()));
    std::filesystem::create_directories(path);
    std::ofstream(path / "d.raw", std::ios::binary) << std::string(64, '\x2a');
    return path;
  }();
  const auto path = folder / name;
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  return path;
}

/// Opens with `open` and reads the last slice, then everything: both must agree. Only
/// voxloom::Error may leave the reader.
template <class Open>
void read_volume_input(Open&& open) {
  constexpr int64_t kMaxBytes = int64_t{16} << 20;
  try {
    const std::unique_ptr<image::VolumeSource> source = open();
    const auto& g = source->geometry();
    g.validate();
    if (g.voxel_count() > kMaxBytes / 8) return;
    const image::Volume last = source->read_slab(g.size[2] - 1, g.size[2]);
    const image::Volume all = source->read_slab(0, g.size[2]);
    const auto tail = all.bytes().last(last.bytes().size());
    if (!std::equal(tail.begin(), tail.end(), last.bytes().begin())) {
      std::fputs("a slice read alone differs from the same slice read with the others\n", stderr);
      std::abort();
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) {
      std::fprintf(stderr, "internal error: %s\n", error.what());
      std::abort();
    }
  }
}

}  // namespace voxloom::fuzz
