#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace voxloom::io {

/// What a multi-frame X-ray object (XA, XRF) says about its run beside the pixels.
struct XaInfo {
  int64_t frames = 0;
  std::vector<double> frame_times_s;            ///< Since the first frame, one a frame; rises.
  double pixel_mm = 0.0;                        ///< In the plane of the patient; 0: unknown.
  bool inverted = false;                        ///< MONOCHROME1: high values are dark.
  std::optional<std::array<double, 2>> window;  ///< Lowest and highest value shown.
};

/// Times come from FrameTimeVector, FrameTime, or CineRate (else RecommendedDisplayFrameRate), in
/// that order; without any of them 15 frames a second are taken. The pixel edge is
/// ImagerPixelSpacing over EstimatedRadiographicMagnificationFactor (or the ratio of
/// DistanceSourceToDetector and DistanceSourceToPatient), or PixelSpacing where the object is
/// calibrated. Throws kDataCorrupt, kUnsupported naming the file.
[[nodiscard]] XaInfo read_xa_info(const std::filesystem::path& path);

}  // namespace voxloom::io
