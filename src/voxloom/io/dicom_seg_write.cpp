#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_dcmtk.h"
#include "voxloom/io/dicom_object.h"
#include "voxloom/io/dicom_order.h"
#include "voxloom/io/dicom_seg.h"

namespace voxloom::io {
namespace {

using image::Geometry;

// A random UID of the form that needs no registered root: 2.25. and a UUID as one number.
std::string new_uid() {
  std::random_device device;
  unsigned __int128 value = 0;
  for (int i = 0; i < 4; ++i) value = (value << 32) | device();
  value &= ~(static_cast<unsigned __int128>(0xF) << 76);
  value |= static_cast<unsigned __int128>(4) << 76;
  value &= ~(static_cast<unsigned __int128>(3) << 62);
  value |= static_cast<unsigned __int128>(2) << 62;
  std::string digits;
  for (; value != 0; value /= 10) digits += static_cast<char>('0' + static_cast<int>(value % 10));
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

// A decimal string has at most 16 characters: as many digits as fit.
std::string decimal(double value) {
  char text[40];
  for (int digits = 15; digits > 0; --digits) {
    const int length = std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (length <= 16) return text;
  }
  return text;
}

template <class Values>
std::string decimals(const Values& values) {
  std::string out;
  for (const double v : values) out += (out.empty() ? "" : "\\") + decimal(v);
  return out;
}

void put(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
  const OFCondition status = item.putAndInsertString(tag, value.c_str());
  VOXLOOM_CHECK(status.good(),
                ErrorCode::kInternal,
                "dicom seg: {} must be storable, got '{}'",
                DcmTag(tag).getTagName(),
                status.text());
}

void put_number(DcmItem& item, const DcmTagKey& tag, int64_t value) {
  const OFCondition status = item.putAndInsertUint16(tag, static_cast<Uint16>(value));
  VOXLOOM_CHECK(status.good(), ErrorCode::kInternal, "dicom seg: {}", status.text());
}

DcmItem& append(DcmItem& parent, const DcmTagKey& sequence) {
  DcmItem* item = nullptr;
  const OFCondition status = parent.findOrCreateSequenceItem(sequence, item, -2);
  VOXLOOM_CHECK(
      status.good() && item != nullptr, ErrorCode::kInternal, "dicom seg: {}", status.text());
  return *item;
}

void put_code(DcmItem& parent, const DcmTagKey& sequence, const DicomCode& code) {
  DcmItem& item = append(parent, sequence);
  put(item, DCM_CodeValue, code.value);
  put(item, DCM_CodingSchemeDesignator, code.scheme);
  put(item, DCM_CodeMeaning, code.meaning);
}

struct Segment {
  uint16_t value = 0;
  int64_t number = 0;
  std::string name;
  std::vector<int64_t> slices;  // z of the slices that hold it.
};

std::vector<Segment> find_segments(const image::LabelVolume& labels) {
  std::map<uint16_t, Segment> found;
  const auto& size = labels.geometry().size;
  const auto voxels = labels.voxels();
  const auto slice = static_cast<size_t>(size[0] * size[1]);
  for (int64_t z = 0; z < size[2]; ++z) {
    std::vector<bool> seen(65536, false);
    for (const uint16_t v : voxels.subspan(static_cast<size_t>(z) * slice, slice)) {
      if (v == 0 || seen[v]) continue;
      seen[v] = true;
      found[v].slices.push_back(z);
    }
  }
  std::vector<Segment> out;
  for (auto& [value, segment] : found) {
    segment.value = value;
    segment.number = static_cast<int64_t>(out.size()) + 1;
    const auto named = std::find_if(labels.labels.begin(),
                                    labels.labels.end(),
                                    [v = value](const image::Label& l) { return l.value == v; });
    segment.name = named != labels.labels.end() && !named->name.empty() ? named->name
                                                                        : format("Label {}", value);
    out.push_back(std::move(segment));
  }
  return out;
}

// Text that a LO value may hold: no backslash, no control characters, at most 64 characters.
std::string short_text(const std::string& text, bool ascii_only, size_t most = 64) {
  std::string out;
  size_t characters = 0;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if ((u & 0xC0) != 0x80 && ++characters > most) break;  // Continuation bytes don't count.
    const bool bad = u < 0x20 || c == '\\' || (ascii_only && u >= 0x80);
    out += bad ? '_' : c;
  }
  return out;
}

// sRGB to CIELab with the white of D50, to which DICOM's colours refer (PS3.3 C.10.7.1.1).
image::Vec3 cielab_from_rgb(const std::array<uint8_t, 3>& rgb) {
  const auto linear = [](uint8_t v) {
    const double c = v / 255.0;
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  const double r = linear(rgb[0]), g = linear(rgb[1]), b = linear(rgb[2]);
  // Bradford-adapted to D50, divided by the white.
  const auto f = [](double t) {
    return t > 216.0 / 24389.0 ? std::cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
  };
  const double x = f((0.4360747 * r + 0.3850649 * g + 0.1430804 * b) / 0.9642200);
  const double y = f(0.2225045 * r + 0.7168786 * g + 0.0606169 * b);
  const double z = f((0.0139322 * r + 0.0971045 * g + 0.7141733 * b) / 0.8252100);
  return {116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)};
}

class SegWriter {
 public:
  SegWriter(const image::LabelVolume& labels,
            std::vector<DicomObject> objects,
            const SegOptions& options)
      : labels_(labels),
        objects_(std::move(objects)),
        stack_(order_dicom_slices(objects_)),
        options_(options),
        data_(*file_.getDataset()) {}

  DcmFileFormat& build() {
    const Geometry& grid = stack_.geometry;
    const std::string differs = image::grid_difference(labels_.geometry(), grid, 1e-2);
    VOXLOOM_CHECK(differs.empty(),
                  ErrorCode::kInvalidArgument,
                  "dicom seg: the label map must lie on the source series' grid: {}",
                  differs);
    VOXLOOM_CHECK(frame_at(0).position_mm.has_value(),
                  ErrorCode::kUnsupported,
                  "dicom seg: the source series must have ImagePositionPatient");
    segments_ = find_segments(labels_);
    VOXLOOM_CHECK(!segments_.empty(),
                  ErrorCode::kInvalidArgument,
                  "dicom seg: the label map must hold at least one labelled voxel");
    put_general();
    for (const Segment& s : segments_) put_segment(s);
    put_dimensions();
    put_shared_groups();
    for (const Segment& s : segments_) {
      for (const int64_t z : s.slices) put_frame(s, z);
    }
    put_references();
    put_pixels();
    return file_;
  }

 private:
  const DicomObject& object_at(int64_t z) const {
    return objects_[stack_.slices[static_cast<size_t>(z)].object];
  }
  const DicomFrame& frame_at(int64_t z) const {
    return object_at(z).frames[stack_.slices[static_cast<size_t>(z)].frame];
  }

  // What names the patient and the study is copied as it is; what the standard wants present is
  // made empty where the source lacks it.
  void copy_from_source() {
    const auto source = dicom::load(objects_.front().path, dicom::Extent::kHeader);
    DcmDataset& from = *source->getDataset();
    for (const auto& tag : {DCM_SpecificCharacterSet,
                            DCM_IssuerOfPatientID,
                            DCM_PatientAge,
                            DCM_PatientIdentityRemoved,
                            DCM_DeidentificationMethod,
                            DCM_DeidentificationMethodCodeSequence,
                            DCM_LongitudinalTemporalInformationModified,
                            DCM_StudyDescription,
                            DCM_FrameOfReferenceUID}) {
      from.findAndInsertCopyOfElement(tag, &data_, OFTrue).good();
    }
    for (const auto& tag : {DCM_PatientName,
                            DCM_PatientID,
                            DCM_PatientBirthDate,
                            DCM_PatientSex,
                            DCM_StudyInstanceUID,
                            DCM_StudyDate,
                            DCM_StudyTime,
                            DCM_StudyID,
                            DCM_AccessionNumber,
                            DCM_ReferringPhysicianName,
                            DCM_PositionReferenceIndicator}) {
      if (from.findAndInsertCopyOfElement(tag, &data_, OFTrue).bad()) {
        data_.insertEmptyElement(tag, OFTrue).good();
      }
    }
    if (!data_.tagExistsWithValue(DCM_FrameOfReferenceUID)) {
      put(data_, DCM_FrameOfReferenceUID, new_uid());
    }
    utf8_ = data_.convertToUTF8().good();
    if (utf8_) put(data_, DCM_SpecificCharacterSet, "ISO_IR 192");
  }

  void put_general() {
    copy_from_source();
    OFString date, time;
    DcmDate::getCurrentDate(date);
    DcmTime::getCurrentTime(time, OFTrue, OFTrue);  // Fractions: two may come in one second.
    put(data_, DCM_SOPClassUID, UID_SegmentationStorage);
    put(data_, DCM_SOPInstanceUID, new_uid());
    put(data_, DCM_SeriesInstanceUID, new_uid());
    put(data_, DCM_Modality, "SEG");
    put(data_, DCM_SeriesNumber, std::to_string(options_.series_number));
    put(data_, DCM_SeriesDescription, short_text(options_.series_description, !utf8_));
    put(data_, DCM_SeriesDate, date.c_str());
    put(data_, DCM_SeriesTime, time.c_str());
    put(data_, DCM_ContentDate, date.c_str());
    put(data_, DCM_ContentTime, time.c_str());
    put(data_, DCM_Manufacturer, "Voxloom");
    put(data_, DCM_ManufacturerModelName, "Voxloom");
    put(data_, DCM_DeviceSerialNumber, "0");
    put(data_, DCM_SoftwareVersions, VOXLOOM_VERSION);
    put(data_, DCM_InstanceNumber, "1");
    put(data_, DCM_ContentLabel, short_text(options_.content_label, true, 16));
    put(data_, DCM_ContentDescription, short_text(options_.series_description, !utf8_));
    data_.insertEmptyElement(DCM_ContentCreatorName, OFTrue).good();
    put(data_, DCM_ImageType, "DERIVED\\PRIMARY");
    put(data_, DCM_SegmentationType, "BINARY");
    put(data_, DCM_SegmentsOverlap, "NO");
    put(data_, DCM_LossyImageCompression, "00");
    put(data_, DCM_PhotometricInterpretation, "MONOCHROME2");
    put_number(data_, DCM_SamplesPerPixel, 1);
    put_number(data_, DCM_Rows, stack_.geometry.size[1]);
    put_number(data_, DCM_Columns, stack_.geometry.size[0]);
    put_number(data_, DCM_BitsAllocated, 1);
    put_number(data_, DCM_BitsStored, 1);
    put_number(data_, DCM_HighBit, 0);
    put_number(data_, DCM_PixelRepresentation, 0);
  }

  void put_segment(const Segment& s) {
    const auto found = std::find_if(options_.segments.begin(),
                                    options_.segments.end(),
                                    [&](const SegSegment& o) { return o.value == s.value; });
    const SegSegment more = found == options_.segments.end() ? SegSegment{} : *found;
    DcmItem& item = append(data_, DCM_SegmentSequence);
    put_number(item, DCM_SegmentNumber, s.number);
    put(item, DCM_SegmentLabel, short_text(s.name, !utf8_));
    put(item, DCM_SegmentDescription, format("label value {}", s.value));
    switch (options_.algorithm) {
      case SegOptions::Algorithm::kAutomatic:
        put(item, DCM_SegmentAlgorithmType, "AUTOMATIC");
        break;
      case SegOptions::Algorithm::kSemiautomatic:
        put(item, DCM_SegmentAlgorithmType, "SEMIAUTOMATIC");
        break;
      case SegOptions::Algorithm::kManual:
        put(item, DCM_SegmentAlgorithmType, "MANUAL");
        break;
    }
    if (options_.algorithm != SegOptions::Algorithm::kManual) {
      const std::string& own = more.algorithm_name;
      put(item,
          DCM_SegmentAlgorithmName,
          short_text(own.empty() ? options_.algorithm_name : own, !utf8_));
    }
    const DicomCode tissue{"85756007", "SCT", "Tissue"};
    put_code(
        item, DCM_SegmentedPropertyCategoryCodeSequence, clean(more.category.value_or(tissue)));
    put_code(item, DCM_SegmentedPropertyTypeCodeSequence, clean(more.type.value_or(tissue)));
    // Without a colour of its own: hues a golden angle apart.
    const double hue = static_cast<double>(s.number - 1) * 2.399963;
    const image::Vec3 lab = more.rgb ? cielab_from_rgb(*more.rgb)
                                     : image::Vec3{60, 60 * std::cos(hue), 60 * std::sin(hue)};
    // L 0..100, a and b -128..127, each scaled to 16 bits.
    const auto scaled = [](double v, double low, double high) {
      const double unit = std::clamp((v - low) / (high - low), 0.0, 1.0);
      return static_cast<Uint16>(std::lround(unit * 65535.0));
    };
    const Uint16 stored[] = {
        scaled(lab[0], 0, 100), scaled(lab[1], -128, 127), scaled(lab[2], -128, 127)};
    item.putAndInsertUint16Array(DCM_RecommendedDisplayCIELabValue, stored, 3).good();
  }

  DicomCode clean(const DicomCode& code) const {
    return {short_text(code.value, true, 16),
            short_text(code.scheme, true, 16),
            short_text(code.meaning, !utf8_)};
  }

  void put_dimensions() {
    const std::string organisation = new_uid();
    put(append(data_, DCM_DimensionOrganizationSequence),
        DCM_DimensionOrganizationUID,
        organisation);
    const auto index = [&](const DcmTagKey& pointer, const DcmTagKey& group, const char* label) {
      DcmItem& item = append(data_, DCM_DimensionIndexSequence);
      put(item, DCM_DimensionOrganizationUID, organisation);
      item.putAndInsertTagKey(DCM_DimensionIndexPointer, pointer).good();
      item.putAndInsertTagKey(DCM_FunctionalGroupPointer, group).good();
      put(item, DCM_DimensionDescriptionLabel, label);
    };
    index(
        DCM_ReferencedSegmentNumber, DCM_SegmentIdentificationSequence, "ReferencedSegmentNumber");
    index(DCM_ImagePositionPatient, DCM_PlanePositionSequence, "ImagePositionPatient");
  }

  void put_shared_groups() {
    DcmItem& shared = append(data_, DCM_SharedFunctionalGroupsSequence);
    const Geometry& g = stack_.geometry;
    DcmItem& measures = append(shared, DCM_PixelMeasuresSequence);
    const auto thickness = objects_.front().slice_thickness_mm.value_or(g.spacing_mm[2]);
    put(measures, DCM_SliceThickness, decimal(thickness > 0 ? thickness : g.spacing_mm[2]));
    put(measures, DCM_SpacingBetweenSlices, decimal(g.spacing_mm[2]));
    put(measures, DCM_PixelSpacing, pixel_spacing());
    put(append(shared, DCM_PlaneOrientationSequence),
        DCM_ImageOrientationPatient,
        decimals(*frame_at(0).orientation));
  }

  std::string pixel_spacing() const {  // Between rows first.
    const auto& s = stack_.geometry.spacing_mm;
    return decimals(std::array<double, 2>{s[1], s[0]});
  }

  void put_frame(const Segment& s, int64_t z) {
    ++frames_;
    DcmItem& item = append(data_, DCM_PerFrameFunctionalGroupsSequence);
    DcmItem& derivation = append(item, DCM_DerivationImageSequence);
    DcmItem& source = append(derivation, DCM_SourceImageSequence);
    put_reference(source, object_at(z));
    if (object_at(z).frames.size() > 1) {
      put(source, DCM_ReferencedFrameNumber, std::to_string(frame_at(z).number + 1));
    }
    put(source, DCM_SpatialLocationsPreserved, "YES");
    put_code(source,
             DCM_PurposeOfReferenceCodeSequence,
             {"121322", "DCM", "Source image for image processing operation"});
    put_code(derivation, DCM_DerivationCodeSequence, {"113076", "DCM", "Segmentation"});
    const Uint32 index[] = {static_cast<Uint32>(s.number), static_cast<Uint32>(z + 1)};
    append(item, DCM_FrameContentSequence)
        .putAndInsertUint32Array(DCM_DimensionIndexValues, index, 2)
        .good();
    put(append(item, DCM_PlanePositionSequence),
        DCM_ImagePositionPatient,
        decimals(*frame_at(z).position_mm));
    put_number(
        append(item, DCM_SegmentIdentificationSequence), DCM_ReferencedSegmentNumber, s.number);
  }

  static void put_reference(DcmItem& item, const DicomObject& object) {
    put(item, DCM_ReferencedSOPClassUID, object.sop_class_uid);
    put(item, DCM_ReferencedSOPInstanceUID, object.sop_instance_uid);
  }

  void put_references() {
    DcmItem& series = append(data_, DCM_ReferencedSeriesSequence);
    put(series, DCM_SeriesInstanceUID, objects_.front().series_uid);
    for (const DicomObject& o : objects_) {
      put_reference(append(series, DCM_ReferencedInstanceSequence), o);
    }
  }

  // One bit a voxel, lowest bit first, without padding between frames.
  void put_pixels() {
    put(data_, DCM_NumberOfFrames, std::to_string(frames_));
    const auto& size = stack_.geometry.size;
    const auto slice = static_cast<size_t>(size[0] * size[1]);
    const size_t bytes = (static_cast<size_t>(frames_) * slice + 7) / 8;
    VOXLOOM_CHECK(bytes < 0xFFFFFFF0U,
                  ErrorCode::kUnsupported,
                  "dicom seg: pixels must take less than 4 GiB, got {} frames",
                  frames_);
    std::vector<Uint8> packed(bytes + (bytes & 1), 0);
    size_t bit = 0;
    for (const Segment& s : segments_) {
      for (const int64_t z : s.slices) {
        for (const uint16_t v : labels_.voxels().subspan(static_cast<size_t>(z) * slice, slice)) {
          if (v == s.value) packed[bit / 8] = static_cast<Uint8>(packed[bit / 8] | (1U << bit % 8));
          ++bit;
        }
      }
    }
    const OFCondition status = data_.putAndInsertUint8Array(
        DCM_PixelData, packed.data(), static_cast<unsigned long>(packed.size()));
    VOXLOOM_CHECK(status.good(), ErrorCode::kInternal, "dicom seg: {}", status.text());
  }

  const image::LabelVolume& labels_;
  std::vector<DicomObject> objects_;
  DicomStack stack_;
  const SegOptions& options_;
  DcmFileFormat file_;
  DcmDataset& data_;
  std::vector<Segment> segments_;
  int64_t frames_ = 0;
  bool utf8_ = false;
};

}  // namespace

void write_dicom_seg(const image::LabelVolume& labels,
                     const std::filesystem::path& source,
                     const std::string& series_uid,
                     const std::filesystem::path& path,
                     Overwrite overwrite,
                     const SegOptions& options) {
  VOXLOOM_CHECK(
      options.algorithm == SegOptions::Algorithm::kManual || !options.algorithm_name.empty(),
      ErrorCode::kInvalidArgument,
      "dicom seg: algorithm_name must be given unless the labels are manual");
  check_output(path, overwrite);
  auto objects = select_dicom_series(source, series_uid);
  SegWriter writer(labels, std::move(objects), options);
  DcmFileFormat& file = writer.build();
  AtomicFile target(path, overwrite);
  const OFCondition status =
      file.saveFile(OFFilename(target.temporary_path().c_str()), EXS_LittleEndianExplicit);
  VOXLOOM_CHECK(status.good(),
                ErrorCode::kUnavailable,
                "output '{}': cannot be written: {}",
                path.string(),
                status.text());
  target.commit();
}

}  // namespace voxloom::io
