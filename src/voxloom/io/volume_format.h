#pragma once

#include <filesystem>
#include <string_view>

namespace voxloom::io {

enum class VolumeFormat { kNifti, kNrrd, kMetaImage, kNpz, kDicom, kPng, kJpeg, kTiff };

/// "NIfTI", "NRRD", ...
[[nodiscard]] std::string_view volume_format_name(VolumeFormat format);

/// By content, and by the name where the content says nothing; a folder is DICOM.
/// Throws kNotFound, kUnsupported.
[[nodiscard]] VolumeFormat detect_format(const std::filesystem::path& path);

}  // namespace voxloom::io
