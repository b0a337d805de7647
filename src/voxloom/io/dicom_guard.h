#pragma once

#include <filesystem>

namespace voxloom::io::dicom {

/// Walks the elements of a DICOM file without building anything, before DCMTK's parser sees it.
/// That parser recurses once per nested sequence, takes an element's length on trust before it
/// reads, and inflates a deflated data set without limit, so a small file could exhaust stack or
/// memory.
///
/// Throws kDataCorrupt when sequences nest deeper than 64 or an element ends beyond the file,
/// kUnsupported when a deflated data set grows beyond 2 GiB. What else may be wrong is left to the
/// parser.
void check_dicom_structure(const std::filesystem::path& path);

}  // namespace voxloom::io::dicom
