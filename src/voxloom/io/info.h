#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/image/volume.h"

namespace voxloom::io {

/// Intensities of a volume; NaN and infinite voxels are only counted.
struct VolumeStatistics {
  double minimum = 0, maximum = 0, mean = 0, standard_deviation = 0;
  int64_t not_finite = 0;
  struct Percentile {
    double percent = 0, value = 0;
  };
  /// 0.5, 1, 5, 25, 50, 75, 95, 99, 99.5: numpy's "linear" rule. Exact for integers of 8 and 16
  /// bits, else within (maximum - minimum) / 65536.
  std::vector<Percentile> percentiles;
};

/// What `voxloom data info` shows.
struct VolumeInfo {
  std::string format;  ///< "NIfTI", "DICOM", ...
  image::Geometry geometry;
  std::string orientation;  ///< Where the axes point: "LPS", "RAS", ...
  bool orthogonal = true;   ///< False for a sheared grid.
  bool right_handed = true;
  image::PixelType type = image::PixelType::kUint8;
  std::vector<image::Label> labels;            ///< Names stored in the file (NRRD segmentations).
  std::optional<VolumeStatistics> statistics;  ///< Absent when not asked for.
};

/// Reads the header and, with `statistics`, streams the voxels (twice for types above 16 bits) in
/// slabs of some MiB. Throws as open_volume() does.
[[nodiscard]] VolumeInfo describe_volume(const std::filesystem::path& path,
                                         const std::string& series_uid = "",
                                         bool statistics = true);

/// Streams the voxels of any source.
[[nodiscard]] VolumeStatistics volume_statistics(image::VolumeSource& source);

[[nodiscard]] nlohmann::ordered_json to_json(const VolumeInfo& info);

}  // namespace voxloom::io
