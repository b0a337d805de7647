// Stands in for the DICOM files in builds without VOXLOOM_DICOM.
#include "voxloom/core/error.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/io/dicom_xa.h"

namespace voxloom::io {
namespace {

[[noreturn]] void refuse(const std::filesystem::path& path) {
  throw Error(
      ErrorCode::kUnsupported,
      format("'{}': this build has no DICOM support (VOXLOOM_DICOM)", path.filename().string()));
}

}  // namespace

std::vector<SeriesInfo> list_series(const std::filesystem::path& path) {
  refuse(path);
}

std::unique_ptr<image::VolumeSource> open_dicom_series(const std::filesystem::path& path,
                                                       const std::string&) {
  refuse(path);
}

XaInfo read_xa_info(const std::filesystem::path& path) {
  refuse(path);
}

void write_dicom_seg(const image::LabelVolume&,
                     const std::filesystem::path&,
                     const std::string&,
                     const std::filesystem::path& path,
                     Overwrite,
                     const SegOptions&) {
  refuse(path);
}

image::LabelVolume read_dicom_seg(const std::filesystem::path& path, const image::Geometry*) {
  refuse(path);
}

}  // namespace voxloom::io
