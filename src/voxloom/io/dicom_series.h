#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::io {

/// One series found below a folder. `description` may name a patient: print it only where the
/// user asked for it, never log it.
struct SeriesInfo {
  std::string uid;          ///< SeriesInstanceUID.
  std::string modality;     ///< "CT", "MR", "XA", "SEG", ...
  std::string description;  ///< SeriesDescription; may be empty.
  int64_t files = 0;        ///< Files of this series.
  int64_t frames = 0;       ///< Images: files, or the frames inside multi-frame files.
  int64_t rows = 0, columns = 0;
  std::string study_uid;  ///< StudyInstanceUID; may be empty.
  bool operator==(const SeriesInfo&) const = default;
};

/// True when the file starts as DICOM does: "DICM" at byte 128, or a data set without preamble
/// whose first element belongs to group 0002 or 0008.
[[nodiscard]] bool is_dicom_file(const std::filesystem::path& path);

/// The image series below `folder` (searched with its sub-folders; names and suffixes do not
/// matter) or in one file, sorted by UID. Files that are not DICOM, DICOMDIR, and objects without
/// pixels (reports, structure sets, presentation states) are passed over.
/// Throws kNotFound when the path does not exist.
[[nodiscard]] std::vector<SeriesInfo> list_series(const std::filesystem::path& path);

/// Opens one DICOM series, or one DICOM file with all its frames, for reading slab by slab:
/// only the slices of a slab are decoded.
///
/// Slices are sorted along the normal (row x column direction), so the result is right-handed
/// whatever the order of files or instance numbers. Spacing along z comes from the positions; a
/// gantry tilt (positions that slide within the plane) gives a sheared direction matrix.
/// A gap between neighbours may differ from the median gap by 10 % (at least 0.02 mm). More is
/// kDataCorrupt, as are a doubled slice and several orientations, sizes or pixel spacings in one
/// series; the message gives file names, instance numbers and positions in mm.
///
/// Enhanced and classic multi-frame objects give their frames; frames without positions (XA, US)
/// follow each other along z, with SpacingBetweenSlices or 1 mm. Rescale slope and intercept are
/// applied: the stored integer type is kept without them, whole results become int16 or int32,
/// others float32. MONOCHROME1 keeps its values, which are what was measured (ITK turns them over,
/// as a screen does); colour becomes luma (Rec. 601); padding pixels keep their value.
///
/// `series_uid` picks one of several series; when it is empty and there are several, throws
/// kInvalidArgument with a table of them (segmentation objects beside one image series do not
/// count). A segmentation object gives its label values (read_dicom_seg).
/// Transfer syntaxes: uncompressed in all four forms, deflated, RLE, JPEG baseline, extended and
/// lossless, JPEG-LS, JPEG 2000; others are kUnsupported.
[[nodiscard]] std::unique_ptr<image::VolumeSource> open_dicom_series(
    const std::filesystem::path& path, const std::string& series_uid = "");

}  // namespace voxloom::io
