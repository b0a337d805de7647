#pragma once

#include "voxloom/image/volume.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// What a client says about a label (`info["label_info"]`, spec 9.3) as names of `labels` and as
/// options of its DICOM SEG. An item's voxel value is `idx`, `labelID` or `label`; without any, the
/// items go to the values that occur, in order. Items that are no objects are passed over.
[[nodiscard]] io::SegOptions seg_options(const Json& info, image::LabelVolume& labels);

}  // namespace voxloom::serve
