#pragma once

#include <vector>

#include "voxloom/image/geometry.h"
#include "voxloom/io/dicom_object.h"

namespace voxloom::io {

/// One slice of a stack: which object, which of its frames.
struct DicomSlice {
  size_t object = 0;
  size_t frame = 0;
};

/// A series put in order.
struct DicomStack {
  image::Geometry geometry;
  std::vector<DicomSlice> slices;  ///< slices[z]
};

/// Sorts all frames along their normal and finds the grid they form, by the rules (and with the
/// errors) that open_dicom_series documents. Pure: looks at headers only.
[[nodiscard]] DicomStack order_dicom_slices(const std::vector<DicomObject>& objects);

}  // namespace voxloom::io
