#include <algorithm>
#include <atomic>
#include <utility>

#include "voxloom/core/parallel.h"
#include "voxloom/io/dicom_object.h"
#include "voxloom/io/dicom_order.h"
#include "voxloom/io/dicom_pixels.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/dicom_series.h"

namespace voxloom::io {
namespace {

class DicomSource final : public image::VolumeSource {
 public:
  DicomSource(std::vector<DicomObject> objects)
      : objects_(std::move(objects)),
        stack_(order_dicom_slices(objects_)),
        type_(dicom_volume_type(objects_)) {
    single_frames_ = std::all_of(objects_.begin(), objects_.end(), [](const DicomObject& o) {
      return o.frames.size() == 1;
    });
  }

  const image::Geometry& geometry() const override { return stack_.geometry; }
  image::PixelType type() const override { return type_; }

  image::Volume read_slab(int64_t z0, int64_t z1) override {
    image::Volume out(image::slab_geometry(stack_.geometry, z0, z1), type_);
    const size_t slice_bytes = out.bytes().size() / static_cast<size_t>(z1 - z0);
    const auto target = [&](int64_t z) {
      return out.bytes().subspan(static_cast<size_t>(z - z0) * slice_bytes, slice_bytes);
    };
    if (single_frames_) {
      parallel_for(z0, z1, 1, [&](int64_t first, int64_t last) {
        for (int64_t z = first; z < last; ++z) {
          const DicomSlice& slice = stack_.slices[static_cast<size_t>(z)];
          const DicomObject& object = objects_[slice.object];
          DicomPixels(object).read_frame(object.frames[slice.frame], type_, target(z));
        }
      });
      return out;
    }
    for (int64_t z = z0; z < z1; ++z) {  // Frames of one file share its decoder state.
      const DicomSlice& slice = stack_.slices[static_cast<size_t>(z)];
      const DicomObject& object = objects_[slice.object];
      if (open_ == nullptr || open_object_ != slice.object) {
        open_ = std::make_unique<DicomPixels>(object);
        open_object_ = slice.object;
      }
      open_->read_frame(object.frames[slice.frame], type_, target(z));
    }
    return out;
  }

 private:
  std::vector<DicomObject> objects_;
  DicomStack stack_;
  image::PixelType type_;
  bool single_frames_ = false;
  std::unique_ptr<DicomPixels> open_;
  size_t open_object_ = 0;
};

}  // namespace

std::unique_ptr<image::VolumeSource> open_dicom_series(const std::filesystem::path& path,
                                                       const std::string& series_uid) {
  auto objects = select_dicom_series(path, series_uid);
  if (objects.front().is_segmentation()) {
    VOXLOOM_CHECK(objects.size() == 1,
                  ErrorCode::kInvalidArgument,
                  "'{}': holds {} segmentation objects in one series, name one file",
                  path.filename().string(),
                  objects.size());
    return image::make_source(read_dicom_seg(objects.front().path).compact());
  }
  return std::make_unique<DicomSource>(std::move(objects));
}

}  // namespace voxloom::io
