#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/image/geometry.h"

namespace voxloom::io {

/// One image inside a DICOM file: a whole single-frame file, or one frame.
struct DicomFrame {
  int64_t number = 0;                                     ///< Frame within the file, from 0.
  int64_t instance_number = 0;                            ///< InstanceNumber of the file.
  std::optional<image::Vec3> position_mm;                 ///< Centre of the first pixel, LPS.
  std::optional<std::array<double, 6>> orientation;       ///< Cosines along a row, then a column.
  std::optional<std::array<double, 2>> pixel_spacing_mm;  ///< Along x, along y.
  double slope = 1.0, intercept = 0.0;                    ///< Rescale to physical values.
};

/// How the samples of a file are stored.
struct DicomPixelFormat {
  int64_t rows = 0, columns = 0, frames = 1;
  int samples = 1;         ///< Per pixel: 1, or 3 for colour.
  int bits_allocated = 0;  ///< 8, 16 or 32 (1 in segmentations).
  int bits_stored = 0;
  int high_bit = 0;
  bool is_signed = false;
  bool planar = false;      ///< Colour by plane instead of by pixel.
  std::string photometric;  ///< "MONOCHROME2", "RGB", ...
};

/// The header of one DICOM file, without its pixels and without anything about the patient.
struct DicomObject {
  std::filesystem::path path;
  std::string sop_class_uid, sop_instance_uid, series_uid, study_uid, transfer_syntax_uid;
  std::string modality, description;
  std::string frame_of_reference_uid;
  DicomPixelFormat pixels;
  std::optional<double> slice_thickness_mm, spacing_between_slices_mm;
  std::vector<DicomFrame> frames;

  [[nodiscard]] bool is_segmentation() const;
};

/// Reads a header. nullopt for an object without pixels (a report, a DICOMDIR, ...).
/// Throws kDataCorrupt or kUnsupported, naming file and attribute.
[[nodiscard]] std::optional<DicomObject> read_dicom_object(const std::filesystem::path& path);

/// Every image object below a folder, or the one in a file, in path order.
[[nodiscard]] std::vector<DicomObject> scan_dicom(const std::filesystem::path& path);

/// The objects of one series, chosen as open_dicom_series says.
[[nodiscard]] std::vector<DicomObject> select_dicom_series(const std::filesystem::path& path,
                                                           const std::string& series_uid);

}  // namespace voxloom::io
