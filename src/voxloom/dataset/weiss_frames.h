#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "voxloom/dataset/plain_picture.h"
#include "voxloom/io/hdf5_array.h"

namespace voxloom::dataset {

/// Frames of one of the WEISS set's HDF5 files: [N, H, W, 3] of three near-equal copies (or [N, H,
/// W]), in 0-1 or 0-255, which differs from file to file. Safe from several threads.
class WeissImages {
 public:
  /// Throws as io::Hdf5Array::open(), kDataCorrupt for other shapes.
  WeissImages(const std::filesystem::path& path, std::string_view name);
  [[nodiscard]] int64_t count() const { return array_.shape()[0]; }
  [[nodiscard]] int64_t width() const { return array_.shape()[2]; }
  [[nodiscard]] int64_t height() const { return array_.shape()[1]; }

  /// The middle channel: 8 bits where every value of the file is one of 256 steps, else float in
  /// [0, 1]; nothing is rounded. The first call reads the whole file to find out. Throws
  /// kDataCorrupt for values outside the range and channels that differ.
  [[nodiscard]] PlainPicture frame(int64_t index);

 private:
  void look_through();

  std::filesystem::path path_;
  io::Hdf5Array array_;
  std::once_flag looked_;
  float full_scale_ = 1.0F;  ///< 1 or 255.
  bool in_steps_ = true;     ///< Every value is a 255th of the full scale.
};

/// Labels of the same set: [N, H, W, 2] (or one channel, or [N, H, W]); channel 0 is the device.
class WeissLabels {
 public:
  WeissLabels(const std::filesystem::path& path, std::string_view name);
  [[nodiscard]] int64_t count() const { return array_.shape()[0]; }
  [[nodiscard]] int64_t width() const { return array_.shape()[2]; }
  [[nodiscard]] int64_t height() const { return array_.shape()[1]; }

  /// 0 and 1. Throws kDataCorrupt for values other than 0 and 1 (or 255), and when more than half
  /// of the frame is device: then the channels are the other way round.
  [[nodiscard]] PlainPicture mask(int64_t index) const;

 private:
  std::filesystem::path path_;
  io::Hdf5Array array_;
};

}  // namespace voxloom::dataset
