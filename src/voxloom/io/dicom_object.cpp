#include "voxloom/io/dicom_object.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_dcmtk.h"
#include "voxloom/io/dicom_series.h"

namespace voxloom::io {
namespace {

using dicom::integer;
using dicom::item_at;
using dicom::number;
using dicom::numbers;
using dicom::text;

// Largest decoded frame; a mammography tomosynthesis slice has 0.03 GiB.
constexpr int64_t kMaxFrameBytes = int64_t{1} << 29;

std::optional<image::Vec3> position_of(DcmItem& item, const std::string& where) {
  const auto v = numbers(item, DCM_ImagePositionPatient, 3, where);
  if (!v) return std::nullopt;
  return image::Vec3{(*v)[0], (*v)[1], (*v)[2]};
}

std::optional<std::array<double, 6>> orientation_of(DcmItem& item, const std::string& where) {
  const auto v = numbers(item, DCM_ImageOrientationPatient, 6, where);
  if (!v) return std::nullopt;
  std::array<double, 6> out{};
  std::copy(v->begin(), v->end(), out.begin());
  return out;
}

// The attribute gives the distance between rows (along y) first.
std::optional<std::array<double, 2>> spacing_of(DcmItem& item,
                                                const DcmTagKey& tag,
                                                const std::string& where) {
  const auto v = numbers(item, tag, 2, where);
  if (!v) return std::nullopt;
  VOXLOOM_CHECK((*v)[0] > 0 && (*v)[1] > 0,
                ErrorCode::kDataCorrupt,
                "{}: pixel spacing must be positive, got {} mm",
                where,
                *v);
  return std::array<double, 2>{(*v)[1], (*v)[0]};
}

// Ultrasound gives the pixel size of calibrated regions, in cm (unit code 3).
std::optional<std::array<double, 2>> ultrasound_spacing(DcmItem& item, const std::string& where) {
  DcmItem* region = item_at(item, DCM_SequenceOfUltrasoundRegions);
  if (region == nullptr || item_at(item, DCM_SequenceOfUltrasoundRegions, 1) != nullptr) {
    return std::nullopt;
  }
  const auto dx = number(*region, DCM_PhysicalDeltaX, where);
  const auto dy = number(*region, DCM_PhysicalDeltaY, where);
  if (integer(*region, DCM_PhysicalUnitsXDirection, 0, 65535, 0, where) != 3 || !dx || !dy ||
      integer(*region, DCM_PhysicalUnitsYDirection, 0, 65535, 0, where) != 3 || *dx == 0 ||
      *dy == 0) {
    return std::nullopt;
  }
  return std::array<double, 2>{std::abs(*dx) * 10, std::abs(*dy) * 10};
}

std::optional<std::array<double, 2>> plain_spacing(DcmItem& item, const std::string& where) {
  for (const auto& tag :
       {DCM_PixelSpacing, DCM_ImagerPixelSpacing, DCM_NominalScannedPixelSpacing}) {
    if (auto v = spacing_of(item, tag, where)) return v;
  }
  return ultrasound_spacing(item, where);
}

void check_slope(double slope, const std::string& where) {
  VOXLOOM_CHECK(slope != 0.0, ErrorCode::kDataCorrupt, "{}: RescaleSlope must not be 0", where);
}

DicomPixelFormat pixel_format(DcmItem& item, const std::string& where) {
  DicomPixelFormat f;
  f.rows = integer(item, DCM_Rows, 1, 65535, 0, where);
  f.columns = integer(item, DCM_Columns, 1, 65535, 0, where);
  f.frames = integer(item, DCM_NumberOfFrames, 1, int64_t{1} << 31, 1, where);
  f.samples = static_cast<int>(integer(item, DCM_SamplesPerPixel, 1, 4, 1, where));
  f.bits_allocated = static_cast<int>(integer(item, DCM_BitsAllocated, 1, 64, 0, where));
  f.bits_stored = static_cast<int>(integer(item, DCM_BitsStored, 1, 64, f.bits_allocated, where));
  f.high_bit = static_cast<int>(integer(item, DCM_HighBit, 0, 63, f.bits_stored - 1, where));
  f.is_signed = integer(item, DCM_PixelRepresentation, 0, 1, 0, where) == 1;
  f.planar = integer(item, DCM_PlanarConfiguration, 0, 1, 0, where) == 1;
  f.photometric = text(item, DCM_PhotometricInterpretation);
  VOXLOOM_CHECK(f.bits_allocated == 1 || f.bits_allocated == 8 || f.bits_allocated == 16 ||
                    f.bits_allocated == 32,
                ErrorCode::kUnsupported,
                "{}: BitsAllocated must be 8, 16 or 32, got {}",
                where,
                f.bits_allocated);
  VOXLOOM_CHECK(f.bits_stored <= f.high_bit + 1 && f.high_bit < f.bits_allocated,
                ErrorCode::kDataCorrupt,
                "{}: BitsStored {} and HighBit {} must fit into BitsAllocated {}",
                where,
                f.bits_stored,
                f.high_bit,
                f.bits_allocated);
  VOXLOOM_CHECK(f.rows * f.columns * f.samples * ((f.bits_allocated + 7) / 8) <= kMaxFrameBytes,
                ErrorCode::kUnsupported,
                "{}: a frame must hold at most {} MiB, got {}x{} pixels",
                where,
                kMaxFrameBytes >> 20,
                f.columns,
                f.rows);
  return f;
}

// A count of frames that the file can't hold would only fail later, after memory was taken.
void check_length(const DicomObject& object, const std::string& where) {
  const auto& f = object.pixels;
  const DcmXfer syntax(object.transfer_syntax_uid.c_str());
  const auto have = static_cast<int64_t>(std::filesystem::file_size(object.path));
  if (syntax.getStreamCompression() != ESC_none) {
    VOXLOOM_CHECK(f.frames <= 65535,
                  ErrorCode::kUnsupported,
                  "{}: a deflated file must hold at most 65535 frames, got {}",
                  where,
                  f.frames);
    return;
  }
  // A compressed frame has at least an item header; YBR 4:2:2 stores 2 samples a pixel.
  const int64_t samples = f.photometric == "YBR_FULL_422" ? 2 : f.samples;
  const int64_t frame_bits = f.rows * f.columns * samples * f.bits_allocated;
  const int64_t need =
      dicom::is_compressed(syntax.getXfer()) ? f.frames * 8 : (f.frames * frame_bits) / 8;
  VOXLOOM_CHECK(need <= have,
                ErrorCode::kDataCorrupt,
                "{}: {} frames of {}x{} pixels need at least {} bytes, got a file of {}: "
                "truncated?",
                where,
                f.frames,
                f.columns,
                f.rows,
                need,
                have);
}

// Multi-frame objects with functional groups: what a frame's own item lacks, the shared one has.
void read_functional_groups(DcmItem& data, DicomObject& object, const std::string& where) {
  DcmItem* shared = item_at(data, DCM_SharedFunctionalGroupsSequence);
  DcmSequenceOfItems* per_frame = nullptr;
  data.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, per_frame).good();
  const unsigned long items = per_frame == nullptr ? 0 : per_frame->card();
  VOXLOOM_CHECK(items == 0 || items == static_cast<unsigned long>(object.pixels.frames),
                ErrorCode::kDataCorrupt,
                "{}: PerFrameFunctionalGroupsSequence must have one item for each of {} frames, "
                "got {}",
                where,
                object.pixels.frames,
                items);
  for (auto& frame : object.frames) {
    DcmItem* own =
        items == 0 ? nullptr : per_frame->getItem(static_cast<unsigned long>(frame.number));
    const auto group = [&](const DcmTagKey& tag) {
      DcmItem* found = own == nullptr ? nullptr : item_at(*own, tag);
      return found != nullptr || shared == nullptr ? found : item_at(*shared, tag);
    };
    if (DcmItem* g = group(DCM_PlanePositionSequence)) frame.position_mm = position_of(*g, where);
    if (DcmItem* g = group(DCM_PlaneOrientationSequence)) {
      frame.orientation = orientation_of(*g, where);
    }
    if (DcmItem* g = group(DCM_PixelMeasuresSequence)) {
      frame.pixel_spacing_mm = spacing_of(*g, DCM_PixelSpacing, where);
      object.slice_thickness_mm = number(*g, DCM_SliceThickness, where);
      object.spacing_between_slices_mm = number(*g, DCM_SpacingBetweenSlices, where);
    }
    if (DcmItem* g = group(DCM_PixelValueTransformationSequence)) {
      frame.slope = number(*g, DCM_RescaleSlope, where).value_or(1.0);
      frame.intercept = number(*g, DCM_RescaleIntercept, where).value_or(0.0);
      check_slope(frame.slope, where);
    }
  }
}

// Single frames, and multi-frame objects from before functional groups.
void read_plain_frames(DcmItem& data, DicomObject& object, const std::string& where) {
  DicomFrame common;
  common.position_mm = position_of(data, where);
  common.orientation = orientation_of(data, where);
  if (!common.position_mm) {  // Nuclear medicine keeps both with the detector.
    if (DcmItem* detector = item_at(data, DCM_DetectorInformationSequence)) {
      common.position_mm = position_of(*detector, where);
      common.orientation = orientation_of(*detector, where);
    }
  }
  common.pixel_spacing_mm = plain_spacing(data, where);
  common.slope = number(data, DCM_RescaleSlope, where).value_or(1.0);
  common.intercept = number(data, DCM_RescaleIntercept, where).value_or(0.0);
  if (const auto dose = number(data, DCM_DoseGridScaling, where)) common.slope = *dose;
  check_slope(common.slope, where);

  const auto count = static_cast<size_t>(object.pixels.frames);
  const auto offsets =
      count > 1 ? numbers(data, DCM_GridFrameOffsetVector, count, where) : std::nullopt;
  const bool placed = common.position_mm && common.orientation;
  for (auto& frame : object.frames) {
    const int64_t number_in_file = frame.number, instance = frame.instance_number;
    frame = common;
    frame.number = number_in_file;
    frame.instance_number = instance;
    if (count == 1) continue;
    const auto step =
        offsets ? std::optional((*offsets)[static_cast<size_t>(number_in_file)] - (*offsets)[0])
        : object.spacing_between_slices_mm
            ? std::optional(*object.spacing_between_slices_mm * static_cast<double>(number_in_file))
            : std::nullopt;
    if (!placed || !step) {
      frame.position_mm.reset();
      frame.orientation.reset();
      continue;
    }
    const auto& o = *frame.orientation;
    const image::Vec3 normal{
        o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]};
    for (size_t a = 0; a < 3; ++a) (*frame.position_mm)[a] += *step * normal[a];
  }
}

}  // namespace

bool DicomObject::is_segmentation() const {
  return sop_class_uid == UID_SegmentationStorage;
}

std::optional<DicomObject> read_dicom_object(const std::filesystem::path& path) {
  const auto file = dicom::load(path, dicom::Extent::kHeader);
  DcmItem& data = *file->getDataset();
  const std::string where = dicom::quoted_name(path);
  DicomObject object;
  object.path = path;
  object.sop_class_uid = text(data, DCM_SOPClassUID);
  if (text(*file->getMetaInfo(), DCM_MediaStorageSOPClassUID) == UID_MediaStorageDirectoryStorage ||
      !data.tagExists(DCM_Rows) || !data.tagExists(DCM_Columns)) {
    return std::nullopt;
  }
  object.sop_instance_uid = text(data, DCM_SOPInstanceUID);
  object.series_uid = text(data, DCM_SeriesInstanceUID);
  object.study_uid = text(data, DCM_StudyInstanceUID);
  object.transfer_syntax_uid = DcmXfer(file->getDataset()->getOriginalXfer()).getXferID();
  object.modality = text(data, DCM_Modality);
  object.description = text(data, DCM_SeriesDescription);
  object.frame_of_reference_uid = text(data, DCM_FrameOfReferenceUID);
  VOXLOOM_CHECK(data.tagExists(DCM_BitsAllocated),
                ErrorCode::kDataCorrupt,
                "{}: an image must have BitsAllocated",
                where);
  object.pixels = pixel_format(data, where);
  VOXLOOM_CHECK(!data.tagExists(DCM_ModalityLUTSequence),
                ErrorCode::kUnsupported,
                "{}: values must be linear (RescaleSlope), got a modality lookup table",
                where);
  check_length(object, where);
  object.slice_thickness_mm = number(data, DCM_SliceThickness, where);
  object.spacing_between_slices_mm = number(data, DCM_SpacingBetweenSlices, where);

  object.frames.resize(static_cast<size_t>(object.pixels.frames));
  const int64_t instance = integer(data, DCM_InstanceNumber, INT32_MIN, INT32_MAX, 0, where);
  for (size_t i = 0; i < object.frames.size(); ++i) {
    object.frames[i].number = static_cast<int64_t>(i);
    object.frames[i].instance_number = instance;
  }
  if (data.tagExists(DCM_SharedFunctionalGroupsSequence) ||
      data.tagExists(DCM_PerFrameFunctionalGroupsSequence)) {
    read_functional_groups(data, object, where);
  } else {
    read_plain_frames(data, object, where);
  }
  return object;
}

}  // namespace voxloom::io
