#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::image {

/// Intensities that are shown: below `lo` is black, above `hi` white. HU for CT, else as stored.
struct Window {
  double lo = 0.0;
  double hi = 255.0;
  bool operator==(const Window&) const = default;
};

/// A named window of CT.
struct WindowPreset {
  std::string_view name;
  double width, level;  ///< HU.
  [[nodiscard]] Window window() const { return {level - width / 2, level + width / 2}; }
};

/// abdomen, lung, brain, mediastinum, bone, liver, ...: the names that parse_window() knows.
[[nodiscard]] std::span<const WindowPreset> ct_presets();

/// How intensities are to be mapped, before the volume has been seen.
struct WindowRule {
  enum class Kind {
    kAuto,        ///< Decided by the voxels, see resolve_window().
    kRange,       ///< `range`, given by numbers or by a CT preset.
    kPercentile,  ///< 0.5 and 99.5 % of the voxels above 0; for MR and others. 0 stays 0.
    kMinMax,      ///< The whole range of the volume.
    kNone,        ///< As stored: values are clipped to [0, 255]. For 8-bit images.
  };
  Kind kind = Kind::kAuto;
  Window range;
  std::string name = "auto";  ///< What was asked for.
};

/// Reads "auto", "percentile", "minmax", "none", "LO,HI" or the name of a CT preset.
/// Throws kInvalidArgument listing the presets for anything else, or unless LO < HI, both finite.
[[nodiscard]] WindowRule parse_window(std::string_view text);

/// A rule applied to one volume: how each voxel becomes a grey value.
///
/// v -> uint8((clip(v, window) - min) / (max - min) * 255), truncated, where min and max are the
/// volume's extremes *after* clipping (MedSAM2's preprocessing). With keep_zero, voxels of exactly
/// 0 are background and become 0. Where min = max every voxel becomes 0.
struct GreyMap {
  Window window;
  double min = 0.0, max = 255.0;
  bool keep_zero = false;
  std::string name = "none";  ///< "abdomen", "percentile", ...: what `auto` chose, for reports.

  [[nodiscard]] bool flat() const { return !(max > min); }
};

/// Looks at every voxel of `source`, a slab at a time (at most about 64 MB in memory plus small
/// tables), and works the rule out exactly: percentiles are numpy's (linear interpolation), from
/// whole histograms of 8- and 16-bit types in one pass and by refined histograms of other types in
/// at most 4 more passes.
///
/// `auto` is: 8-bit unsigned data as stored; data where at least one voxel in 1000 lies below -500
/// as CT, with the preset `abdomen` (lung, bone and brain have to be asked for); else percentile;
/// min to max where no voxel is above 0. The choice does not depend on prompts, so every click of
/// a session sees the same image.
///
/// Throws kDataCorrupt, with their number, when there are NaN voxels, or when the range that the
/// voxels decide is not finite; kInvalidArgument for `percentile` without a voxel above 0.
/// A window that leaves no contrast is logged as a warning.
[[nodiscard]] GreyMap resolve_window(VolumeSource& source, const WindowRule& rule);

/// Maps voxels (any number of slices) to grey values. float32 is mapped in single precision, all
/// other types in double, as numpy does it. Throws kInvalidArgument when the lengths differ.
void apply_window(const GreyMap& map, const Volume& voxels, std::span<uint8_t> out);
[[nodiscard]] std::vector<uint8_t> apply_window(const GreyMap& map, const Volume& voxels);

}  // namespace voxloom::image
