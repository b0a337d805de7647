#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/image/volume.h"

namespace voxloom::io {

/// A coded concept: {"78961009", "SCT", "Spleen"}.
struct DicomCode {
  std::string value, scheme, meaning;
};

/// What is said about the segment of one label value, beyond its name.
struct SegSegment {
  uint16_t value = 0;
  std::optional<std::array<uint8_t, 3>> rgb;  ///< To show it in; sRGB.
  std::optional<DicomCode> category, type;    ///< Absent: tissue.
  std::string algorithm_name;                 ///< Empty: as SegOptions says.
};

/// What a DICOM segmentation says about itself.
struct SegOptions {
  std::string series_description = "Segmentation";  ///< At most 64 characters.
  std::string algorithm_name;                       ///< Needed unless `algorithm` is manual.
  enum class Algorithm { kAutomatic, kSemiautomatic, kManual };
  Algorithm algorithm = Algorithm::kSemiautomatic;
  std::string content_label = "SEGMENTATION";  ///< Capitals, digits, _ and space; at most 16.
  int series_number = 300;
  std::vector<SegSegment> segments;  ///< Of label values that more is known about; in any order.
};

/// Writes a label map as a DICOM Segmentation (binary, one segment per label value) that refers to
/// the source images: patient, study and frame of reference are theirs, each frame names the
/// source slice that it lies on. Only slices that hold a segment become frames. Segments are
/// numbered 1, 2, ... in the order of label values; the value itself is kept in
/// SegmentDescription ("label value 7"). Segment names come from `labels.labels`.
///
/// `source` and `series_uid` name the series as in open_dicom_series. Throws kInvalidArgument when
/// the labels' grid is not the series' (saying how they differ), or when no voxel is labelled.
void write_dicom_seg(const image::LabelVolume& labels,
                     const std::filesystem::path& source,
                     const std::string& series_uid,
                     const std::filesystem::path& path,
                     Overwrite overwrite,
                     const SegOptions& options = {});

/// Reads a DICOM Segmentation as one label map. Without `grid` the map spans the slices that hold
/// frames; with it, frames are placed on that grid (of the source series).
/// A segment's value is the one in its description where write_dicom_seg made it, else its number.
/// Fractional segments count from half their maximum. Throws kUnsupported when segments overlap
/// (a label map holds one value per voxel), kInvalidArgument when a frame is not on `grid`.
[[nodiscard]] image::LabelVolume read_dicom_seg(const std::filesystem::path& path,
                                                const image::Geometry* grid = nullptr);

}  // namespace voxloom::io
