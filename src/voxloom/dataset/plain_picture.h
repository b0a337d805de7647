#pragma once

#include <cstdint>
#include <filesystem>
#include <variant>
#include <vector>

#include "voxloom/core/atomic_file.h"

namespace voxloom::dataset {

/// A grey picture with the pixels that its source has.
struct PlainPicture {
  int64_t width = 0, height = 0;
  /// [H, W]; float within [0, 1].
  std::variant<std::vector<uint8_t>, std::vector<uint16_t>, std::vector<float>> pixels;
};

/// Writes `stem` + ".png" (8 or 16 bits) or ".npy" (float), so that read_picture() gives the very
/// same values, and returns the path. Throws kInvalidArgument when the size doesn't fit.
std::filesystem::path write_plain_picture(const PlainPicture& picture,
                                          const std::filesystem::path& stem,
                                          Overwrite overwrite);

}  // namespace voxloom::dataset
