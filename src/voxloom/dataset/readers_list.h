#pragma once

#include <filesystem>

#include "voxloom/dataset/readers.h"

namespace voxloom::dataset {

DatasetReader rossa_reader();
DatasetReader folder_reader();

/// Pairs of equal name in `folder`/image and `folder`/label, in natural order of name (2 before
/// 10). Sets image, mask, subset, id ("subset/name") and, from the name, sequence and frame:
/// "run3_0012" is frame 12 of sequence "run3", in whatever subset; any other name is a sequence of
/// its own. Files without a partner become problems.
Listing list_pairs(const std::filesystem::path& folder, const std::string& subset);

}  // namespace voxloom::dataset
