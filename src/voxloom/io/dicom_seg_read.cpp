#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/io/dicom_dcmtk.h"
#include "voxloom/io/dicom_object.h"
#include "voxloom/io/dicom_pixels.h"
#include "voxloom/io/dicom_seg.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::Vec3;

constexpr int64_t kMaxSlices = 65536;
constexpr int64_t kMaxVoxels = int64_t{1} << 31;

Vec3 cross(const std::array<double, 6>& o) {
  return {o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]};
}
double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

class SegReader {
 public:
  explicit SegReader(const std::filesystem::path& path) : where_(dicom::quoted_name(path)) {
    auto object = read_dicom_object(path);
    VOXLOOM_CHECK(object && object->is_segmentation(),
                  ErrorCode::kInvalidArgument,
                  "{}: must be a DICOM Segmentation object",
                  where_);
    object_ = std::move(*object);
    file_ = dicom::load(path, dicom::Extent::kWhole);
    for (const auto& f : object_.frames) {
      VOXLOOM_CHECK(f.position_mm && f.orientation && f.pixel_spacing_mm,
                    ErrorCode::kDataCorrupt,
                    "{}: every frame must have position, orientation and pixel spacing, frame {} "
                    "lacks one",
                    where_,
                    f.number + 1);
      for (size_t i = 0; i < 6; ++i) {
        VOXLOOM_CHECK(std::abs((*f.orientation)[i] - (*object_.frames[0].orientation)[i]) <= 1e-3,
                      ErrorCode::kUnsupported,
                      "{}: all frames must have one orientation, frame {} differs",
                      where_,
                      f.number + 1);
      }
    }
    read_segments();
    read_frame_segments();
  }

  image::LabelVolume read(const Geometry* grid) {
    image::LabelVolume out(grid == nullptr ? own_grid() : *grid);
    const Geometry& g = out.geometry();
    VOXLOOM_CHECK(g.size[0] == object_.pixels.columns && g.size[1] == object_.pixels.rows,
                  ErrorCode::kInvalidArgument,
                  "{}: frames of {}x{} pixels must fit the grid {}",
                  where_,
                  object_.pixels.columns,
                  object_.pixels.rows,
                  image::describe(g));
    out.labels = labels_;
    const auto slice = static_cast<size_t>(g.size[0] * g.size[1]);
    std::vector<bool> mask(slice);
    for (const DicomFrame& frame : object_.frames) {
      const auto z = static_cast<size_t>(slice_of(frame, g));
      read_mask(frame, mask);
      const uint16_t value = frame_values_[static_cast<size_t>(frame.number)];
      const auto target = out.voxels().subspan(z * slice, slice);
      for (size_t i = 0; i < slice; ++i) {
        if (!mask[i]) continue;
        VOXLOOM_CHECK(target[i] == 0 || target[i] == value,
                      ErrorCode::kUnsupported,
                      "{}: segments must not overlap to become one label map, got labels {} and {} "
                      "on slice {}",
                      where_,
                      target[i],
                      value,
                      z);
        target[i] = value;
      }
    }
    return out;
  }

 private:
  void read_segments() {
    DcmItem& data = *file_->getDataset();
    for (unsigned long i = 0; DcmItem* item = dicom::item_at(data, DCM_SegmentSequence, i); ++i) {
      const int64_t number = dicom::integer(*item, DCM_SegmentNumber, 1, 65535, 0, where_);
      int64_t value = number;
      const std::string note = dicom::text(*item, DCM_SegmentDescription);
      constexpr std::string_view kPrefix = "label value ";
      if (note.starts_with(kPrefix) && note.size() <= kPrefix.size() + 5 &&
          note.find_first_not_of("0123456789", kPrefix.size()) == std::string::npos &&
          note.size() > kPrefix.size()) {
        const int64_t stored = std::stoll(note.substr(kPrefix.size()));
        if (stored > 0 && stored <= 65535) value = stored;
      }
      for (const auto& label : labels_) {
        VOXLOOM_CHECK(label.value != value,
                      ErrorCode::kDataCorrupt,
                      "{}: segments must have values of their own, two have {}",
                      where_,
                      value);
      }
      values_[number] = static_cast<uint16_t>(value);
      labels_.push_back({static_cast<uint16_t>(value), dicom::text(*item, DCM_SegmentLabel)});
    }
  }

  void read_frame_segments() {
    DcmItem& data = *file_->getDataset();
    DcmItem* shared = dicom::item_at(data, DCM_SharedFunctionalGroupsSequence);
    DcmSequenceOfItems* per_frame = nullptr;
    data.findAndGetSequence(DCM_PerFrameFunctionalGroupsSequence, per_frame).good();
    for (const auto& frame : object_.frames) {
      DcmItem* own = per_frame == nullptr
                         ? nullptr
                         : per_frame->getItem(static_cast<unsigned long>(frame.number));
      DcmItem* id =
          own == nullptr ? nullptr : dicom::item_at(*own, DCM_SegmentIdentificationSequence);
      if (id == nullptr && shared != nullptr) {
        id = dicom::item_at(*shared, DCM_SegmentIdentificationSequence);
      }
      const int64_t number =
          id == nullptr ? 0 : dicom::integer(*id, DCM_ReferencedSegmentNumber, 1, 65535, 0, where_);
      const auto value = values_.find(number);
      VOXLOOM_CHECK(value != values_.end(),
                    ErrorCode::kDataCorrupt,
                    "{}: frame {} must belong to a segment of SegmentSequence, got {}",
                    where_,
                    frame.number + 1,
                    number);
      frame_values_.push_back(value->second);
    }
  }

  // The grid from the first to the last frame along the normal.
  Geometry own_grid() const {
    const auto& o = *object_.frames[0].orientation;
    const Vec3 normal = cross(o);
    std::vector<double> along;
    const DicomFrame* lowest = &object_.frames[0];
    for (const auto& f : object_.frames) {
      along.push_back(dot(*f.position_mm, normal));
      if (along.back() < dot(*lowest->position_mm, normal)) lowest = &f;
    }
    std::sort(along.begin(), along.end());
    double step = std::abs(object_.spacing_between_slices_mm.value_or(0.0));
    if (step == 0.0) {
      for (size_t i = 1; i < along.size(); ++i) {
        const double gap = along[i] - along[i - 1];
        if (gap > 1e-3 && (step == 0.0 || gap < step)) step = gap;
      }
    }
    if (step == 0.0) step = std::abs(object_.slice_thickness_mm.value_or(0.0));
    if (step == 0.0) step = 1.0;
    const double intervals = (along.back() - along.front()) / step;
    VOXLOOM_CHECK(intervals < static_cast<double>(kMaxSlices),
                  ErrorCode::kDataCorrupt,
                  "{}: frames must lie within {} slices, got {:.6g} mm at {:.6g} mm a slice",
                  where_,
                  kMaxSlices,
                  along.back() - along.front(),
                  step);
    Geometry g;
    g.size = {object_.pixels.columns,
              object_.pixels.rows,
              static_cast<int64_t>(std::lround(intervals)) + 1};
    const auto& s = *object_.frames[0].pixel_spacing_mm;
    g.spacing_mm = {s[0], s[1], step};
    g.origin_mm = *lowest->position_mm;
    for (size_t r = 0; r < 3; ++r) {
      g.direction[3 * r] = o[r];
      g.direction[3 * r + 1] = o[3 + r];
      g.direction[3 * r + 2] = normal[r];
    }
    try {
      g.validate();
    } catch (const Error& e) {
      throw e.with_context(where_);
    }
    VOXLOOM_CHECK(g.voxel_count() <= kMaxVoxels,
                  ErrorCode::kUnsupported,
                  "{}: the label map must hold at most {} voxels, got {}",
                  where_,
                  kMaxVoxels,
                  image::describe(g));
    return g;
  }

  int64_t slice_of(const DicomFrame& frame, const Geometry& g) const {
    const Vec3 voxel = image::voxel_from_world(g, *frame.position_mm);
    const auto z = static_cast<int64_t>(std::lround(std::clamp(voxel[2], -1e9, 1e9)));
    // The far corner must fit as well, so that orientation and spacing are checked.
    Vec3 corner = *frame.position_mm;
    const auto& o = *frame.orientation;
    const auto& s = *frame.pixel_spacing_mm;
    const auto width = static_cast<double>(object_.pixels.columns - 1);
    const auto height = static_cast<double>(object_.pixels.rows - 1);
    for (size_t a = 0; a < 3; ++a) corner[a] += o[a] * s[0] * width + o[3 + a] * s[1] * height;
    const Vec3 far = image::voxel_from_world(g, corner);
    const bool fits =
        z >= 0 && z < g.size[2] && std::abs(voxel[2] - static_cast<double>(z)) < 0.1 &&
        std::abs(voxel[0]) < 0.1 && std::abs(voxel[1]) < 0.1 && std::abs(far[0] - width) < 0.1 &&
        std::abs(far[1] - height) < 0.1 && std::abs(far[2] - static_cast<double>(z)) < 0.1;
    VOXLOOM_CHECK(fits,
                  ErrorCode::kInvalidArgument,
                  "{}: frame {} must lie on the grid {}, got its corner at voxel {}",
                  where_,
                  frame.number + 1,
                  image::describe(g),
                  voxel);
    return z;
  }

  void read_mask(const DicomFrame& frame, std::vector<bool>& mask) {
    if (object_.pixels.bits_allocated > 1) {
      if (!decoder_) {
        DcmItem& data = *file_->getDataset();
        half_ = static_cast<double>(
                    dicom::integer(data, DCM_MaximumFractionalValue, 1, 255, 1, where_)) /
                2;
        VOXLOOM_CHECK(object_.pixels.bits_allocated == 8,
                      ErrorCode::kUnsupported,
                      "{}: BitsAllocated must be 1 or 8, got {}",
                      where_,
                      object_.pixels.bits_allocated);
        decoder_ = std::make_unique<DicomPixels>(object_);
      }
      fraction_.resize(mask.size());
      decoder_->read_frame(
          frame, image::PixelType::kUint8, std::as_writable_bytes(std::span(fraction_)));
      for (size_t i = 0; i < mask.size(); ++i) mask[i] = fraction_[i] >= half_;
      return;
    }
    if (bits_.empty()) load_bits();
    size_t bit = static_cast<size_t>(frame.number) * mask.size();
    for (size_t i = 0; i < mask.size(); ++i, ++bit) {
      mask[i] = ((bits_[bit / 8] >> (bit % 8)) & 1) != 0;
    }
  }

  void load_bits() {
    VOXLOOM_CHECK(!dicom::is_compressed(file_->getDataset()->getOriginalXfer()),
                  ErrorCode::kUnsupported,
                  "{}: one-bit pixels must be uncompressed",
                  where_);
    const Uint8* bytes = nullptr;
    unsigned long count = 0;
    const auto need = (static_cast<size_t>(object_.pixels.frames) *
                           static_cast<size_t>(object_.pixels.rows * object_.pixels.columns) +
                       7) /
                      8;
    const OFCondition status =
        file_->getDataset()->findAndGetUint8Array(DCM_PixelData, bytes, &count);
    if (status.good() && bytes != nullptr && count >= need) {
      bits_.assign(bytes, bytes + need);
      return;
    }
    // Implicit coding makes them words; their bytes are in order on a little-endian machine.
    const Uint16* words = nullptr;
    VOXLOOM_CHECK(file_->getDataset()->findAndGetUint16Array(DCM_PixelData, words, &count).good() &&
                      words != nullptr && count * 2 >= need,
                  ErrorCode::kDataCorrupt,
                  "{}: the pixels of {} frames must take {} bytes, got fewer",
                  where_,
                  object_.pixels.frames,
                  need);
    const auto* raw = reinterpret_cast<const uint8_t*>(words);
    bits_.assign(raw, raw + need);
  }

  std::string where_;
  DicomObject object_;
  std::unique_ptr<DcmFileFormat> file_;
  std::vector<image::Label> labels_;
  std::map<int64_t, uint16_t> values_;  // Segment number to label value.
  std::vector<uint16_t> frame_values_;
  std::vector<uint8_t> bits_, fraction_;
  std::unique_ptr<DicomPixels> decoder_;
  double half_ = 0.5;
};

}  // namespace

image::LabelVolume read_dicom_seg(const std::filesystem::path& path, const Geometry* grid) {
  return SegReader(path).read(grid);
}

}  // namespace voxloom::io
