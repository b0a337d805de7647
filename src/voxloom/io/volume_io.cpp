#include "voxloom/io/volume_io.h"

#include <array>
#include <cstring>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/zip_reader.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/dicom_seg.h"
#include "voxloom/io/dicom_series.h"
#include "voxloom/io/inflate_source.h"
#include "voxloom/io/metaimage.h"
#include "voxloom/io/nifti.h"
#include "voxloom/io/nifti_header.h"
#include "voxloom/io/npz_volume.h"
#include "voxloom/io/nrrd.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/io/raster.h"
#include "voxloom/io/volume_format.h"

namespace voxloom::io {
namespace {

namespace fs = std::filesystem;

/// The first text of a MetaImage is some key of it and an equals sign.
bool looks_like_metaimage(std::string_view text) {
  constexpr std::string_view kKeys[] = {"ObjectType", "NDims", "Comment", "BinaryData", "DimSize"};
  for (const auto key : kKeys) {
    if (!text.starts_with(key)) continue;
    const auto rest = text.substr(key.size());
    const size_t at = rest.find_first_not_of(" \t");
    if (at != std::string_view::npos && rest[at] == '=') return true;
  }
  return false;
}

/// A single file that is a DICOM segmentation: it names its segments.
bool is_dicom_segmentation(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || !is_dicom_file(path)) return false;
  const auto series = list_series(path);
  return series.size() == 1 && series[0].modality == "SEG";
}

std::unique_ptr<image::VolumeSource> open_with_role(const fs::path& path,
                                                    const std::string& series_uid,
                                                    NpzRole role) {
  const VolumeFormat format = detect_format(path);
  VOXLOOM_CHECK(series_uid.empty() || format == VolumeFormat::kDicom,
                ErrorCode::kInvalidArgument,
                "'{}': a series can be chosen in DICOM only, this is {}",
                path.string(),
                volume_format_name(format));
  switch (format) {
    case VolumeFormat::kNifti:
      return open_nifti(path);
    case VolumeFormat::kNrrd:
      return open_nrrd(path);
    case VolumeFormat::kMetaImage:
      return open_metaimage(path);
    case VolumeFormat::kNpz:
      return open_npz_volume(path, role);
    case VolumeFormat::kDicom:
      return open_dicom_series(path, series_uid);
    case VolumeFormat::kPng:
      return open_raster_volume(path, RasterFormat::kPng);
    case VolumeFormat::kJpeg:
      return open_raster_volume(path, RasterFormat::kJpeg);
    case VolumeFormat::kTiff:
      return open_raster_volume(path, RasterFormat::kTiff);
  }
  throw Error(ErrorCode::kInternal, "unknown volume format");
}

}  // namespace

std::string_view volume_format_name(VolumeFormat format) {
  constexpr std::string_view kNames[] = {
      "NIfTI", "NRRD", "MetaImage", "NPZ", "DICOM", "PNG", "JPEG", "TIFF"};
  return kNames[static_cast<size_t>(format)];
}

VolumeFormat detect_format(const fs::path& path) {
  std::error_code ignored;
  VOXLOOM_CHECK(
      fs::exists(path, ignored), ErrorCode::kNotFound, "'{}' does not exist", path.string());
  if (fs::is_directory(path, ignored)) return VolumeFormat::kDicom;
  auto file = open_file_bytes(path);
  std::array<std::byte, 256> head{};
  const auto start = std::span(head).first(file->read_some(0, head));
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  if (text.starts_with("NRRD000")) return VolumeFormat::kNrrd;
  switch (raster_format(start)) {
    case RasterFormat::kPng:
      return VolumeFormat::kPng;
    case RasterFormat::kJpeg:
      return VolumeFormat::kJpeg;
    case RasterFormat::kTiff:
      return VolumeFormat::kTiff;
    case RasterFormat::kNone:
      break;
  }
  if (ZipReader::looks_like_zip(start)) return VolumeFormat::kNpz;
  if (looks_like_nifti(start)) return VolumeFormat::kNifti;
  if (text.starts_with("\x1f\x8b")) {
    std::array<std::byte, 4> inner{};
    const auto unpacked = inflated_bytes(std::move(file));
    if (unpacked->read_some(0, inner) == 4 && looks_like_nifti(inner)) return VolumeFormat::kNifti;
  }
  if (looks_like_metaimage(text)) return VolumeFormat::kMetaImage;
  if (is_dicom_file(path)) return VolumeFormat::kDicom;
  // The content says nothing: go by the name, so that the message is about the right format.
  for (const auto suffix : {".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz"}) {
    if (has_suffix(path, suffix)) return VolumeFormat::kNifti;
  }
  if (has_suffix(path, ".nrrd") || has_suffix(path, ".nhdr")) return VolumeFormat::kNrrd;
  if (has_suffix(path, ".mha") || has_suffix(path, ".mhd")) return VolumeFormat::kMetaImage;
  if (has_suffix(path, ".npz")) return VolumeFormat::kNpz;
  if (has_suffix(path, ".dcm")) return VolumeFormat::kDicom;
  throw Error(ErrorCode::kUnsupported,
              format("'{}': must be NIfTI, NRRD, MetaImage, NPZ, DICOM, PNG, JPEG or TIFF; neither "
                     "its content nor its name says which",
                     path.string()));
}

std::unique_ptr<image::VolumeSource> open_volume(const fs::path& path,
                                                 const std::string& series_uid) {
  return open_with_role(path, series_uid, NpzRole::kImage);
}

image::Volume read_volume(const fs::path& path, const std::string& series_uid) {
  const auto source = open_volume(path, series_uid);
  return source->read_slab(0, source->geometry().size[2]);
}

image::LabelVolume read_labels(const fs::path& path) {
  if (is_dicom_segmentation(path)) return read_dicom_seg(path);
  const auto source = open_with_role(path, "", NpzRole::kLabels);
  const image::Volume voxels = source->read_slab(0, source->geometry().size[2]);
  try {
    auto labels = image::LabelVolume::from_volume(voxels);
    if (detect_format(path) == VolumeFormat::kNrrd) labels.labels = read_nrrd_labels(path);
    return labels;
  } catch (const Error& error) {
    throw error.with_context(format("'{}'", path.string()));
  }
}

}  // namespace voxloom::io
